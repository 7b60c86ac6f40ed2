#!/usr/bin/env python3
"""Makes the golden files that hold Stemwire's RoFormers against the reference implementation.

    pip install pymss-core==0.1.14 torch safetensors soundfile numpy pyyaml
    make_roformer_golden.py             writes roformer.safetensors and roformer/ beside this file

`roformer/` has the checkpoints and configurations of two small models with random weights, made by `roformer_reference.py`: one
of mel bands and one stem, one of consecutive bands and two stems. A case repeats `clip.wav` as `make_golden.py` does, with a
quiet noise: a RoFormer normalises each band, so that where the clip has no high frequencies, it would show the rounding of the
Fourier transform (the reference in 32 and in 64 bits then agree to 77 dB only).
`roformer.safetensors` holds excerpts of the stems that `pymss-core` computes with the windows of
Music-Source-Separation-Training: tensor "<model>/<overlaps>/<channels>/<frames>/<first frame>", float32 [stems, 2 channels,
EXCERPT frames], around the edges of the track and of windows.
"""
from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import save_file

from make_golden import mixture
from msst import demix
from roformer_reference import MODELS, make_reference

HERE = Path(__file__).resolve().parent
EXCERPT = 96
CHUNK = MODELS["mel_tiny"][0]
# (overlaps, channels, frames): shorter than half a chunk, more than half, around a chunk and two borders, long and odd
CASES = {
    "mel_tiny": [
        *[(2, 2, frames) for frames in (25_000, 40_000, CHUNK - 1, CHUNK, CHUNK + 1, 220_500)],
        (4, 2, 97_501),
    ],
    "bs_tiny": [(2, 2, 25_000), (2, 2, CHUNK + 1), (4, 2, 97_501), (2, 1, 80_000)],
}


def noise(frames: int) -> np.ndarray:
    """[frames], from -0.01 to 0.01, with energy at all frequencies; the same in any language."""
    turns = np.arange(frames, dtype=np.float64) ** 2 * 0.618033988749895
    return (0.02 * (turns - np.floor(turns) - 0.5)).astype(np.float32)


def positions(frames: int, step: int) -> list[int]:
    """Where excerpts begin: at both ends, around the first windows' edges, and in the middle."""
    edges = [0, step, CHUNK, CHUNK - CHUNK // 20, frames // 2, frames]
    return sorted({min(max(edge - EXCERPT // 2, 0), frames - EXCERPT) for edge in edges})


def main() -> None:
    sound, _ = soundfile.read(HERE / "clip.wav", dtype="float32")
    folder = HERE / "roformer"
    folder.mkdir(exist_ok=True)
    excerpts = {}
    for name, cases in CASES.items():
        model = make_reference(name, folder, overlaps=2, seed=1)
        for overlaps, channels, frames in cases:
            mix = np.ascontiguousarray(mixture(sound, frames, 1.0).T) + noise(frames)
            if channels == 1:
                mix[1] = mix[0]
            stems = demix(model, mix, CHUNK, overlaps)
            for start in positions(frames, CHUNK // overlaps):
                excerpt = np.ascontiguousarray(stems[:, :, start : start + EXCERPT])
                excerpts[f"{name}/{overlaps}/{channels}/{frames}/{start}"] = excerpt
    save_file(excerpts, HERE / "roformer.safetensors")


if __name__ == "__main__":
    main()
