"""SCNet, the whole command line against the whole of PyTorch's on the same checkpoint, with the same windows."""
from __future__ import annotations

from pathlib import Path

import material
from measure import conditions, run, times_faster
from results import Result, Row

HERE = Path(__file__).resolve().parents[1]
STEMS = ["drums", "bass", "other", "vocals"]
OVERLAPS = 2


def against_pytorch(bench) -> tuple[Result, str | None]:
    made, model = material.scnet(bench.work, bench.scnet)
    files = [made / "scnet.ckpt", made / "scnet.yaml", OVERLAPS]
    exact = ["--model", model, "--normalization", "exact", "--overlap", 1 - 1 / OVERLAPS]
    peer = lambda mix: run([bench.scnet, HERE / "peers" / "msst_run.py", *files, mix, bench.work / "pytorch"], bench.cores)
    own = lambda mix: run(bench.separate(mix, bench.work / "scnet-stems", *exact), bench.cores)
    song, peers, runs = bench.in_turn("PyTorch", peer, own)
    faster, clock = times_faster(peers, runs)
    agreement = material.agreement(bench.work / "pytorch", bench.work / "scnet-stems" / song.stem, STEMS)
    rows = [
        Row.of("SCNet: times faster than PyTorch, whole run", faster, target=1.6, aim=2, clock=clock),
        Row("SCNet: agreement with PyTorch in `exact`, worst stem of the same run", agreement, "dB", target=75),
        Row("SCNet: PyTorch's memory over Stemwire's", max(p.peak for p in peers) / max(r.peak for r in runs), target=1),
    ]
    more = f"{bench.seconds:g} s of music, {OVERLAPS} windows in each frame, {bench.pairs} of each in turn"
    return Result(rows, conditions([*peers, *runs], bench.cores, more)), None
