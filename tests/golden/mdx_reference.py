#!/usr/bin/env python3
"""Makes an ONNX file in the form of the UVR MDX-Net models, with random values, and the stems that a reference
implementation (the `audio-separator` package) separates with it.

The published models cannot be fetched where the tests run; this stands in for them. The file has their ports,
operators and sizes: `voc_ft` is as large as UVR-MDX-NET-Voc_FT.onnx, 16.7 million parameters, norms folded into
convolutions.

    pip install "audio-separator[cpu]==0.47.1" onnx soundfile numpy
    mdx_reference.py --audio mix.wav --out DIR [--model voc_ft|tiny] [--overlap 0.25] [--seed 1]

Writes into DIR
    <model>.onnx         `input` and `output` [batch_size, 4, bins, columns]: left real and imaginary, right the same
    model_data.json      its entry in UVR's list, under the MD5 of the file's last 10,240,000 bytes
    mix.f32.wav          the mixture that the reference saw, float32, 44.1 kHz, stereo
    vocals.f32.wav       what the network makes of it
    accompaniment.f32.wav the mixture without `compensate` times the vocals

The package scales a track by its peak before and after, by factors that do not cancel out: a file of another level
has stems of another level still. That is left out here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
import torch
from audio_separator.separator.architectures.mdx_separator import MDXSeparator
from onnx import TensorProto, helper, numpy_helper

HOP = 1024
MODELS: dict[str, tuple[dict[str, Any], int, int, int]] = {
    # name: (entry in UVR's list, growth of channels, convolutions of a block, narrowing of its linear layers)
    "voc_ft": (dict(compensate=1.021, mdx_dim_f_set=3072, mdx_dim_t_set=8, mdx_n_fft_scale_set=7680), 48, 3, 8),
    # the same topology, small enough for golden files in a repository
    "tiny": (dict(compensate=1.035, mdx_dim_f_set=256, mdx_dim_t_set=5, mdx_n_fft_scale_set=2048), 4, 2, 8),
}
DEPTH = 5


class Network:
    """The U-Net of KUIELab's MDX-Net (TFC-TDF): on [batch, channels, columns, bins], skips are products."""

    def __init__(self, entry: dict, growth: int, convolutions: int, narrowing: int, seed: int) -> None:
        bins, columns = entry["mdx_dim_f_set"], 2 ** entry["mdx_dim_t_set"]
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch_size", 4, bins, columns])
                 for name in ("input", "output")]  # fmt: skip
        # Spectra are not scaled: this brings them near 1, where products of layers neither explode nor vanish.
        value = self.convolution("input", 4, growth, 1, scale=2 / entry["mdx_n_fft_scale_set"] ** 0.5)
        value = self.node("Transpose", [value], perm=[0, 1, 3, 2])
        channels, skips = growth, []
        for level in range(DEPTH):
            value = self.block(value, channels, bins >> level, convolutions, narrowing)
            skips.append(value)
            value = self.convolution(value, channels, channels + growth, 2, stride=2)
            channels += growth
        value = self.block(value, channels, bins >> DEPTH, convolutions, narrowing)
        for level in reversed(range(DEPTH)):
            value = self.transposed_convolution(value, channels, channels - growth)
            channels -= growth
            value = self.node("Mul", [value, skips.pop()])
            value = self.block(value, channels, bins >> level, convolutions, narrowing)
        value = self.node("Transpose", [value], perm=[0, 1, 3, 2])
        self.convolution(value, channels, 4, 1, last=True)
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(self.nodes, "mdx-net", ports[:1], ports[1:], self.weights)
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
        onnx.checker.check_model(self.model, full_check=True)

    def node(self, kind: str, inputs: list, **attributes) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, shape: tuple, deviation: float, mean: float = 0.0) -> str:
        values = self.random.normal(mean, deviation, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, f"weight_{len(self.weights)}"))
        return self.weights[-1].name

    def convolution(
        self, value: str, inputs: int, outputs: int, size: int, stride: int = 1, scale: float = 1.0, last: bool = False
    ) -> str:
        weight = self.weight((outputs, inputs, size, size), scale * (2 / (inputs * size * size)) ** 0.5)
        pads = [size // 2] * 4 if stride == 1 else [0] * 4
        value = self.node("Conv", [value, weight, self.weight((outputs,), 0.05)], kernel_shape=[size, size],
                          strides=[stride, stride], pads=pads)  # fmt: skip
        return value if last else self.node("Relu", [value])

    def transposed_convolution(self, value: str, inputs: int, outputs: int) -> str:
        weight = self.weight((inputs, outputs, 2, 2), 0.2 * (2 / inputs) ** 0.5)
        bias = self.weight((outputs,), 0.05, mean=1.0)  # it becomes a factor
        value = self.node("ConvTranspose", [value, weight, bias], kernel_shape=[2, 2], strides=[2, 2])
        return self.node("Relu", [value])

    def block(self, value: str, channels: int, bins: int, convolutions: int, narrowing: int) -> str:
        for _ in range(convolutions):
            value = self.convolution(value, channels, channels, 3)
        side = value
        for inputs, outputs in [(bins, bins // narrowing), (bins // narrowing, bins)]:
            side = self.node("MatMul", [side, self.weight((inputs, outputs), (1 / inputs) ** 0.5)])
            # What a norm leaves after a linear layer: a factor and a summand of each channel.
            side = self.node("Mul", [side, self.weight((1, channels, 1, 1), 0.5)])
            side = self.node("Add", [side, self.weight((1, channels, 1, 1), 0.05)])
            side = self.node("Relu", [side])
        return self.node("Add", [value, side])


def separator(model_file: Path, entry: dict, overlap: float) -> MDXSeparator:
    common = dict(
        logger=logging.getLogger("reference"), log_level=logging.WARNING, torch_device=torch.device("cpu"),
        onnx_execution_provider=["CPUExecutionProvider"], model_name=model_file.stem, model_path=str(model_file),
        model_data=entry, sample_rate=44100,
    )  # fmt: skip
    columns = 2 ** entry["mdx_dim_t_set"]
    return MDXSeparator(common, dict(segment_size=columns, overlap=overlap, hop_length=HOP, batch_size=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, required=True, help="44.1 kHz stereo file that soundfile reads")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", choices=MODELS, default="voc_ft")
    parser.add_argument("--overlap", type=float, default=0.25, help="of a chunk and the next, as in the package")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    entry, growth, convolutions, narrowing = MODELS[options.model]
    entry = {**entry, "primary_stem": "Vocals"}
    model = Network(entry, growth, convolutions, narrowing, options.seed).model
    model_file = options.out / f"{options.model}.onnx"
    audio, rate = soundfile.read(options.audio, dtype="float32", always_2d=True)
    assert rate == 44100 and audio.shape[1] == 2, "give 44.1 kHz stereo"
    mix = np.ascontiguousarray(audio.T)

    onnx.save(model, model_file)
    rehearsal = separator(model_file, entry, options.overlap).demix(mix.copy())
    last = next(tensor for tensor in model.graph.initializer if tensor.name == model.graph.node[-1].input[1])
    gain = 0.5 * mix.std() / rehearsal.std()  # so that the stem is about as loud as the mixture
    last.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(last) * np.float32(gain), last.name))
    onnx.save(model, model_file)
    digest = hashlib.md5(model_file.read_bytes()[-10_240_000:]).hexdigest()
    (options.out / "model_data.json").write_text(json.dumps({digest: entry}, indent=4))

    vocals = separator(model_file, entry, options.overlap).demix(mix.copy())
    for name, stem in dict(mix=mix, vocals=vocals, accompaniment=mix - entry["compensate"] * vocals).items():
        soundfile.write(options.out / f"{name}.f32.wav", stem.T, rate, subtype="FLOAT")
    print(f"{options.model}: {model_file.stat().st_size} bytes, {mix.shape[1]} frames -> {options.out}")


if __name__ == "__main__":
    main()
