#!/usr/bin/env python3
"""Makes the golden files that hold Stemwire's SCNet against the reference implementation.

    pip install pymss-core==0.1.14 torch safetensors soundfile numpy onnx
    make_scnet_golden.py                writes scnet.safetensors and scnet-tiny/ beside this file, scnet-xl.safetensors and
                                        scnet-xl-tiny/

`scnet-tiny/` is a model of SCNet's topology with random weights, made by `scnet_reference.py`. A case repeats `clip.wav` as
`make_golden.py` does. `scnet.safetensors` holds excerpts of the stems that `pymss-core` computes with the windows of
Music-Source-Separation-Training: tensor "<overlaps>/<channels>/<frames>/<first frame>", float32 [stems, 2 channels, EXCERPT
frames], around the edges of the track and of windows. `scnet-xl-tiny/` and `scnet-xl.safetensors` are the same for the topology
of SCNet XL IHF, whose configuration does not normalise the track.
"""
from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "models" / "tools"))
import make_scnet  # noqa: E402
from graph import scnet  # noqa: E402
from make_golden import mixture  # noqa: E402
from msst import demix  # noqa: E402
from scnet_reference import MODELS, make_model  # noqa: E402

CHUNK, EXCERPT = MODELS["tiny"][0], 128
# (overlaps, channels, frames): shorter than half a chunk, more than half, around a chunk and two borders, long and odd
CASES = [
    *[(2, 2, frames) for frames in (30_000, 40_000, CHUNK - 1, CHUNK, CHUNK + 1, 220_500)],
    *[(4, 2, frames) for frames in (40_000, CHUNK, 97_501, 150_001)],
    (2, 1, 100_000),
]
XL_CASES = [(2, 2, 40_000), (4, 2, 97_501)]


def positions(frames: int, step: int) -> list[int]:
    """Where excerpts begin: at both ends, around the first windows' edges, and in the middle."""
    edges = [0, step, CHUNK, CHUNK - CHUNK // 20, frames // 2, frames]
    return sorted({min(max(edge - EXCERPT // 2, 0), frames - EXCERPT) for edge in edges})


def excerpts_of(model: torch.nn.Module, cases: list[tuple[int, int, int]], normalize: bool) -> dict[str, np.ndarray]:
    sound, _ = soundfile.read(HERE / "clip.wav", dtype="float32")
    excerpts = {}
    for overlaps, channels, frames in cases:
        mix = np.ascontiguousarray(mixture(sound, frames, 1.0).T)
        if channels == 1:
            mix[1] = mix[0]
        mean, deviation = (mix.mean(0).mean(), mix.mean(0).std()) if normalize else (0, 1)
        stems = demix(model, (mix - mean) / deviation, CHUNK, overlaps) * deviation + mean
        for start in positions(frames, CHUNK // overlaps):
            excerpt = np.ascontiguousarray(stems[:, :, start : start + EXCERPT])
            excerpts[f"{overlaps}/{channels}/{frames}/{start}"] = excerpt
    return excerpts


def write(name: str, model: torch.nn.Module, topology: scnet.Topology, normalize: bool = True) -> None:
    """Writes graph, weights and card of a model."""
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    weights = folder / f"{name}.safetensors"
    save_file({name: tensor.numpy() for name, tensor in model.state_dict().items()}, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    title = "SCNet's topology with random weights, for tests"
    make_scnet.write(folder, title, "MIT OR Apache-2.0", topology, weights.name, digest, normalize)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        model, xl = (make_model(kind, Path(name), overlaps=2, seed=1) for kind in ("tiny", "xl_tiny"))
    save_file(excerpts_of(model, CASES, normalize=True), HERE / "scnet.safetensors")
    save_file(excerpts_of(xl, XL_CASES, normalize=False), HERE / "scnet-xl.safetensors")
    small = scnet.Topology(dims=(4, 8, 8, 16), nfft=1024, hop_size=256, num_dplayer=2, chunk=CHUNK)
    write("scnet-tiny", model, small)
    ihf = scnet.PUBLISHED["scnet-xl-ihf"]
    ihf = replace(ihf, dims=(4, 4, 4, 8), nfft=1024, hop_size=256, num_dplayer=2, chunk=CHUNK)
    write("scnet-xl-tiny", xl, ihf, normalize=False)


if __name__ == "__main__":
    main()
