"""Kim's Mel-Band RoFormer, the whole command line against the whole of PyTorch's on the same checkpoint, with the same windows."""
from __future__ import annotations

from pathlib import Path

import material
from measure import conditions, run, times_faster
from results import Result, Row

HERE = Path(__file__).resolve().parents[1]
OVERLAPS = 2


def against_pytorch(bench) -> tuple[Result, str | None]:
    made, model = material.roformer(bench.work, bench.scnet, bench.stemwire)
    files = [made / "mel_kim.ckpt", made / "mel_kim.yaml", OVERLAPS]
    arguments = ["--model", model, "--overlap", 1 - 1 / OVERLAPS]
    peer = lambda mix: run([bench.scnet, HERE / "peers" / "msst_run.py", *files, mix, bench.work / "pytorch"], bench.cores)
    own = lambda mix: run(bench.separate(mix, bench.work / "roformer-stems", *arguments), bench.cores)
    song, peers, runs = bench.in_turn("PyTorch", peer, own)
    faster, clock = times_faster(peers, runs)
    agreement = material.agreement(bench.work / "pytorch", bench.work / "roformer-stems" / song.stem, ["vocals"])
    rows = [
        Row.of("Mel-Band RoFormer: times faster than PyTorch, whole run", faster, target=1.3, clock=clock),
        Row("Mel-Band RoFormer: agreement with PyTorch", agreement, "dB", target=75),
        Row("Mel-Band RoFormer: PyTorch's memory over Stemwire's", max(p.peak for p in peers) / max(r.peak for r in runs), target=1 / 1.3),
    ]
    more = f"{bench.seconds:g} s of music, {OVERLAPS} windows in each frame, {bench.pairs} of each in turn"
    return Result(rows, conditions([*peers, *runs], bench.cores, more)), None
