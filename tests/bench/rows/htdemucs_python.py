"""HTDemucs, the whole command line against other ways from Python: the package demucs-infer, and its graph in ONNX Runtime."""
from __future__ import annotations

from pathlib import Path

import material
from measure import Run, conditions, run, times_faster
from results import Result, Row

HERE = Path(__file__).resolve().parents[1]
STEMS = ["drums", "bass", "other", "vocals"]
PEERS = {"demucs-infer": "demucs_infer", "ONNX Runtime from Python": material.ROOT / "models" / "htdemucs" / "graph.onnx"}


def against_python(bench) -> tuple[Result, str | None]:
    checkpoint, _ = material.htdemucs(bench.work, bench.demucs, bench.stemwire)
    program = [bench.demucs, HERE / "peers" / "demucs_run.py", checkpoint]
    own_stems = bench.work / "htdemucs-python"
    own = lambda mix: run(bench.separate(mix, own_stems, "--model", "htdemucs", "--normalization", "exact"), bench.cores)
    rows: list[Row] = []
    every: list[Run] = []
    for name, implementation in PEERS.items():
        peer = lambda mix: run([*program, mix, bench.work / "python", implementation], bench.cores)
        song, peers, runs = bench.in_turn(name, peer, own)
        times, clock = times_faster(peers, runs)
        agreement = material.agreement(bench.work / "python", own_stems / song.stem, STEMS)
        share = max(r.peak for r in runs) / max(p.peak for p in peers)
        rows += [
            Row.of(f"HTDemucs: times faster than {name}, whole run", times, target=1, clock=clock),
            Row(f"HTDemucs: agreement with {name} in `exact`, worst stem of the same run", agreement, "dB", target=75),
            Row(f"HTDemucs: memory, of that of {name}", share, target=1, more_is_better=False),
        ]
        every += [*peers, *runs]
    more = f"{bench.seconds:g} s of music, {bench.pairs} of each in turn; the graph in Python has Demucs' transforms and windows around it"
    return Result(rows, conditions(every, bench.cores, more)), None
