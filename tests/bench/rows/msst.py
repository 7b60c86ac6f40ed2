"""SCNet and RoFormer, the whole command line against the whole of PyTorch's on the same checkpoint, with the same windows."""
from __future__ import annotations

from pathlib import Path

import material
from measure import conditions, run, times_faster
from results import Result, Row

HERE = Path(__file__).resolve().parents[1]
OVERLAPS = 2
# Seconds of the run that does not count, where each costs ten: one chunk.
SHORT = 4
# What the large ones may take more than PyTorch.
MEMORY = 1.3


def scnet(bench) -> tuple[Result, str | None]:
    folder, model = material.scnet(bench.work, bench.scnet, "scnet")
    return against_pytorch(bench, "SCNet", folder / "scnet", model, ["drums", "bass", "other", "vocals"], 1.6, 2, 1)


def scnet_large(bench) -> tuple[Result, str | None]:
    folder, model = material.scnet(bench.work, bench.scnet, "scnet-large")
    stems = ["drums", "bass", "other", "vocals"]
    return against_pytorch(bench, "SCNet-large", folder / "scnet_large", model, stems, 1.3, None, MEMORY, SHORT)


def mel_band(bench) -> tuple[Result, str | None]:
    folder, model = material.roformer(bench.work, bench.scnet, bench.stemwire, "mel_kim")
    return against_pytorch(bench, "Mel-Band RoFormer", folder / "mel_kim", model, ["vocals"], 1.3, None, MEMORY, SHORT)


def band_split(bench) -> tuple[Result, str | None]:
    folder, model = material.roformer(bench.work, bench.scnet, bench.stemwire, "bs_viperx")
    return against_pytorch(bench, "BS-RoFormer", folder / "bs_viperx", model, ["vocals"], 1.3, None, MEMORY, SHORT)


def against_pytorch(
    bench, title: str, files: Path, model: str, stems: list[str], faster: float, aim: float | None, memory: float, warm: float = 10
) -> tuple[Result, str | None]:
    """`files` without its suffix is checkpoint and configuration; `memory` is what may be taken of PyTorch's."""
    arguments = ["--model", model, "--normalization", "exact", "--overlap", 1 - 1 / OVERLAPS]
    peer_stems, own_stems = bench.work / "pytorch", bench.work / f"{model}-stems"
    program = [bench.scnet, HERE / "peers" / "msst_run.py", files.with_suffix(".ckpt"), files.with_suffix(".yaml"), OVERLAPS]
    peer = lambda mix: run([*program, mix, peer_stems], bench.cores)
    own = lambda mix: run(bench.separate(mix, own_stems, *arguments), bench.cores)
    # The same music for all: a RoFormer needs the noise.
    song, peers, runs = bench.in_turn("PyTorch", peer, own, warm, noise=True)
    times, clock = times_faster(peers, runs)
    agreement = material.agreement(peer_stems, own_stems / song.stem, stems)
    share = max(r.peak for r in runs) / max(p.peak for p in peers)
    rows = [
        Row.of(f"{title}: times faster than PyTorch, whole run", times, target=faster, aim=aim, clock=clock),
        Row(f"{title}: agreement with PyTorch in `exact`, worst stem of the same run", agreement, "dB", target=75),
        Row(f"{title}: memory, of PyTorch's", share, target=memory, more_is_better=False),
    ]
    more = f"{bench.seconds:g} s of music, {OVERLAPS} windows in each frame, {bench.pairs} of each in turn"
    return Result(rows, conditions([*peers, *runs], bench.cores, more)), None
