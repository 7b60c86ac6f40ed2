"""An MDX-Net of Voc_FT's size, the whole command line against audio-separator, which runs it by ONNX Runtime from Python."""
from __future__ import annotations

from pathlib import Path

import material
from measure import conditions, run, times_faster
from results import Result, Row

HERE = Path(__file__).resolve().parents[1]


def against_python(bench) -> tuple[Result, str | None]:
    folder, model = material.mdx(bench.work, bench.mdx, bench.stemwire)
    program = [bench.mdx, HERE / "peers" / "mdx_run.py", folder / "voc_ft.onnx", folder / "model_data.json"]
    peer = lambda mix: run([*program, mix, bench.work / "audio-separator"], bench.cores)
    own = lambda mix: run(bench.separate(mix, bench.work / "mdx-stems", "--model", model), bench.cores)
    song, peers, runs = bench.in_turn("audio-separator", peer, own)
    times, clock = times_faster(peers, runs)
    agreement = material.agreement(bench.work / "audio-separator", bench.work / "mdx-stems" / song.stem, ["vocals"])
    share = max(r.peak for r in runs) / max(p.peak for p in peers)
    rows = [
        Row.of("MDX-Net: times faster than audio-separator, whole run", times, target=1, clock=clock),
        Row("MDX-Net: agreement with audio-separator, of the same run", agreement, "dB", target=75),
        Row("MDX-Net: memory, of audio-separator's", share, target=1, more_is_better=False),
    ]
    more = f"{bench.seconds:g} s of music, {bench.pairs} of each in turn"
    return Result(rows, conditions([*peers, *runs], bench.cores, more)), None
