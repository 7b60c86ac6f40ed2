#!/usr/bin/env python3
"""Makes a model folder from a checkpoint of train_unet.py: weights, graph and card.

    pip install torch numpy safetensors onnx onnxruntime
    export_unet.py CHECKPOINT --out models/mini-spleeter [--title TEXT]

The weights are written as F16 under the names that TensorFlow gives a Spleeter's variables, and the graph is held
against PyTorch with these weights. Only when both agree is anything written.
"""
from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from graph.spleeter import Layers, Recipe, build_graph, shapes
from make_spleeter import card
from safetensors.torch import save
from torch import Tensor
from unet import BINS, Spleeter

LEAST_DECIBELS = 85.0
NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def tensors(model: Spleeter, depth: int) -> dict[str, Tensor]:
    """The parameters under TensorFlow's names, in its order of dimensions."""
    found: dict[str, Tensor] = {}

    def layer(name: str, module: torch.nn.Module) -> None:
        found[f"{name}/kernel"] = module.weight.permute(2, 3, 1, 0)
        found[f"{name}/bias"] = module.bias

    def norm(name: str, module: torch.nn.Module) -> None:
        found.update({f"{name}/{part}": getattr(module, attribute) for part, attribute in NORM.items()})

    for index, net in enumerate(model.nets):
        layers = Layers(index, depth)
        for level, (down, up, up_norm) in enumerate(zip(net.convolutions, net.transposed, net.up_norms)):
            layer(layers.convolution(level), down)
            layer(layers.transposed(level), up)
            norm(layers.up_norm(level), up_norm)
        for level, module in enumerate(net.norms):
            norm(layers.norm(level), module)
        layer(layers.mask(), net.mask)
    return {name: tensor.detach() for name, tensor in found.items()}


def signal_to_noise(model: Spleeter, graph: bytes, weights: dict[str, Tensor]) -> list[float]:
    """Decibels, one a stem, of the graph's estimates against PyTorch's, on magnitudes like those of music."""
    draw = torch.Generator().manual_seed(3)
    magnitudes = torch.rand((1, 2, model.frames, BINS), generator=draw) ** 4 * 100
    with torch.inference_mode():
        expected = model.eval()(magnitudes)[0].double()
    names = [name for name in weights]
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(weights[name].float().contiguous().numpy()) for name in names]
    options = onnxruntime.SessionOptions()
    options.add_external_initializers(names, values)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(["estimates"], {"magnitudes": magnitudes.numpy()})[0])[0]
    noise = (expected - found).square().sum((1, 2, 3))
    return (10 * torch.log10(expected.square().sum((1, 2, 3)) / noise)).tolist()


def export(checkpoint: dict[str, Any], folder: Path, title: str) -> None:
    """Writes the three files; ValueError where the checkpoint or its graph is not sound."""
    kwargs = checkpoint["kwargs"]
    model = Spleeter(**kwargs)
    model.load_state_dict(checkpoint["state"])
    halves = {name: tensor.half().contiguous() for name, tensor in tensors(model, len(kwargs["filters"])).items()}
    broken = [name for name, tensor in halves.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"not finite as F16: {', '.join(broken)}")
    recipe = Recipe(tuple(kwargs["stems"]), "Elu", "Elu", filters=tuple(kwargs["filters"]), frames=kwargs["frames"],
                    fourth_root=True)  # fmt: skip
    if {name: tuple(tensor.shape) for name, tensor in halves.items()} != shapes(recipe):
        raise ValueError("the checkpoint's tensors are not those of the graph")
    with torch.no_grad():  # PyTorch shall compute with what is stored
        for name, tensor in tensors(model, len(kwargs["filters"])).items():
            tensor.copy_(halves[name].float())
    graph = build_graph(recipe).SerializeToString(deterministic=True)
    decibels = signal_to_noise(model, graph, halves)
    print("graph against PyTorch, dB: " + ", ".join(f"{s} {d:.1f}" for s, d in zip(recipe.stems, decibels)))
    if not min(decibels) >= LEAST_DECIBELS:
        raise ValueError(f"the graph does not compute what PyTorch does: less than {LEAST_DECIBELS} dB")
    weights = save(halves)
    digest = hashlib.sha256(weights).hexdigest()
    text = card(folder.name, title, "MIT OR Apache-2.0", recipe, graph, "weights.safetensors", digest)
    folder.mkdir(parents=True, exist_ok=True)
    # The card last: until it is there, the old one's hashes refuse the new files.
    for name, content in {"graph.onnx": graph, "weights.safetensors": weights, "card.toml": text.encode()}.items():
        part = folder / f"{name}.part"
        part.write_bytes(content)
        os.replace(part, folder / name)
        print(f"{folder / name}: {len(content):,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="model folder; its name is the model's")
    parser.add_argument("--title", default="A small Spleeter trained on synthetic music", help="the name for people")
    options = parser.parse_args()
    # Tensors and plain values only: a checkpoint from elsewhere must not run code.
    checkpoint = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    try:
        export(checkpoint, options.out.resolve(), options.title)
    except ValueError as error:
        sys.exit(f"{options.checkpoint}: {error}")


if __name__ == "__main__":
    main()
