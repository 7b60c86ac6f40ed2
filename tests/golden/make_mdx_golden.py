#!/usr/bin/env python3
"""Makes the golden files that hold Stemwire's MDX-Net against the reference implementation.

    pip install "audio-separator[cpu]==0.47.1" onnx safetensors soundfile numpy
    make_mdx_golden.py                  writes mdx.safetensors and mdx-tiny/ beside this file

`mdx-tiny/` is a model of MDX-Net's topology with random weights, made by `mdx_reference.py`, and its entry in UVR's list of
models. A case repeats `clip.wav` as `make_golden.py` does. `mdx.safetensors` holds excerpts of the stem that `audio-separator`
computes: tensor "<mode>/<channels>/<frames>/<first frame>", float32 [2 channels, EXCERPT frames], around the edges of the track
and of windows. Modes: `plain`; `denoise`, two passes; `loud`, three times as loud and scaled to a peak of 0.9 before and back
afterwards.
"""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import soundfile
from onnx import numpy_helper
from safetensors.numpy import save_file

from make_golden import mixture
from mdx_reference import MODELS, Network, separator

HERE = Path(__file__).resolve().parent
ENTRY, GROWTH, CONVOLUTIONS, NARROWING = MODELS["tiny"]
TRIM, CHUNK, EXCERPT = ENTRY["mdx_n_fft_scale_set"] // 2, 1024 * 31, 128
OVERLAP, GAIN, LIMIT = 0.25, 3.0, 0.9
# (mode, channels, frames): shorter than a margin, than a window, around one and around the first windows' ends, long and odd
CASES: list[tuple[str, int, int]] = [
    *[("plain", 2, frames) for frames in (600, 10_000, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK - 2 * TRIM, 60_001, 220_500)],
    ("plain", 1, 100_000),
    ("denoise", 2, 60_001),
    ("loud", 2, 60_001),
]
CARD = """name = "mdx-tiny"
title = "MDX-Net's topology with random weights, for tests"
family = "mdx"
stems = ["vocals", "accompaniment"]
sample_rate = 44100
segment = {segment}
overlap = 0.25
licence = "MIT OR Apache-2.0"

[stft]
size = {size}
hop = 1024

[mdx]
compensation = {compensation}

[graph]
file = "mdx-tiny.onnx"
sha256 = "{digest}"
"""


def positions(frames: int) -> list[int]:
    """Where excerpts begin: at both ends, around the first windows' edges, and in the middle."""
    step = int((1 - OVERLAP) * CHUNK)
    edges = [0, step - TRIM, CHUNK - TRIM, 2 * step - TRIM, frames // 2, frames]
    return sorted({min(max(edge - EXCERPT // 2, 0), frames - EXCERPT) for edge in edges})


def write_model(folder: Path, sound: np.ndarray) -> tuple[Path, dict]:
    """A model whose stem is half as loud as the mixture, its card and its entry."""
    folder.mkdir(exist_ok=True)
    file, entry = folder / "mdx-tiny.onnx", {**ENTRY, "primary_stem": "Vocals"}
    model = Network(entry, GROWTH, CONVOLUTIONS, NARROWING, seed=1).model
    onnx.save(model, file)
    mix = np.ascontiguousarray(mixture(sound, 220_500, 1.0).T)
    gain = 0.5 * mix.std() / separator(file, entry, OVERLAP).demix(mix.copy()).std()
    last = next(tensor for tensor in model.graph.initializer if tensor.name == model.graph.node[-1].input[1])
    last.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(last) * np.float32(gain), last.name))
    onnx.save(model, file)
    content = file.read_bytes()
    (folder / "model_data.json").write_text(json.dumps({hashlib.md5(content[-10_240_000:]).hexdigest(): entry}, indent=4) + "\n")
    (folder / "card.toml").write_text(CARD.format(
        segment=CHUNK, size=ENTRY["mdx_n_fft_scale_set"], compensation=ENTRY["compensate"],
        digest=hashlib.sha256(content).hexdigest()))
    return file, entry


def main() -> None:
    sound, _ = soundfile.read(HERE / "clip.wav", dtype="float32")
    file, entry = write_model(HERE / "mdx-tiny", sound)
    excerpts = {}
    for mode, channels, frames in CASES:
        mix = np.ascontiguousarray(mixture(sound, frames, GAIN if mode == "loud" else 1.0).T)
        if channels == 1:
            mix[1] = mix[0]
        peak = np.abs(mix).max()
        scale = np.float32(LIMIT / peak if mode == "loud" else 1.0)
        assert mode != "loud" or peak > LIMIT
        reference = separator(file, entry, OVERLAP)
        reference.enable_denoise = mode == "denoise"
        stem = reference.demix(mix * scale) / scale
        for start in positions(frames):
            excerpt = np.ascontiguousarray(stem[:, start : start + EXCERPT])
            excerpts[f"{mode}/{channels}/{frames}/{start}"] = excerpt.astype(np.float32)
    save_file(excerpts, HERE / "mdx.safetensors")


if __name__ == "__main__":
    main()
