"""Spleeter with two stems, the whole command line against the whole of TensorFlow's on the same checkpoint."""
from __future__ import annotations

from pathlib import Path

import material
from measure import conditions, run, times_faster
from results import Result, Row

HERE = Path(__file__).resolve().parents[1]
STEMS = ["vocals", "accompaniment"]


def against_tensorflow(bench) -> tuple[Result, str | None]:
    archive, _ = material.spleeter(bench.work, bench.spleeter)
    model = ["--model", "bench-2stems", "--mask-extension", "zeros"]
    peer = lambda mix: run([bench.spleeter, HERE / "peers" / "spleeter_run.py", archive, mix, bench.work / "tensorflow"], bench.cores)
    own = lambda mix: run(bench.separate(mix, bench.work / "two-stems", *model), bench.cores)
    song, peers, runs = bench.in_turn("TensorFlow", peer, own)
    faster, clock = times_faster(peers, runs)
    agreement = material.agreement(bench.work / "tensorflow", bench.work / "two-stems" / song.stem, STEMS)
    rows = [
        Row.of("Spleeter, 2 stems: times faster than TensorFlow, whole run", faster, target=2, clock=clock),
        Row("Spleeter, 2 stems: agreement with TensorFlow, worst stem of the same run", agreement, "dB", target=60),
        Row("Spleeter, 2 stems: TensorFlow's memory over Stemwire's", max(p.peak for p in peers) / max(r.peak for r in runs)),
    ]
    more = f"{bench.seconds:g} s of music, {bench.pairs} of each in turn"
    return Result(rows, conditions([*peers, *runs], bench.cores, more)), None
