#!/usr/bin/env python3
"""Makes a model folder from a checkpoint of train.py or join.py: weights, graph and card.

    export.py CHECKPOINT --out ../mini [--title TEXT]

The weights are written as F16, HTDemucs' in the layout of the published checkpoints, a Spleeter's under the names that
TensorFlow gives its variables. The graph is held against PyTorch with these weights. Only when both agree is anything
written.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import save

import checkpoints
import publish
import spleeter_names
import unet
from graph import Checkpoint, build_graph, spleeter
from graph.checkpoint import metadata
from graph.parity import signal_to_noise
from make_spleeter import card as spleeter_card
from residual import SHARES

OVERLAP = 0.25
LICENCE = "MIT OR Apache-2.0"


def demucs_card(name: str, title: str, model: HTDemucs, graph: bytes, weights: bytes) -> str:
    """The TOML that describes the model."""
    text = f"""\
name = {json.dumps(name)}
title = {json.dumps(title)}
family = "htdemucs"
stems = {json.dumps(list(model.sources))}
sample_rate = {model.samplerate}
segment = {int(model.segment * model.samplerate)}
overlap = {OVERLAP}
residual_shares = {list(SHARES)}
licence = {json.dumps(LICENCE)}

[stft]
size = {model.nfft}
hop = {model.hop_length}
"""
    for file, content in (("graph.onnx", graph), ("weights.safetensors", weights)):
        digest = hashlib.sha256(content).hexdigest()
        text += f'\n[{file.split(".")[0]}]\nfile = "{file}"\nsha256 = "{digest}"\n'
    return text


def export_demucs(checkpoint: dict, folder: Path, title: str) -> None:
    """A small HTDemucs, with masks or without; ValueError where the checkpoint or its graph is not sound."""
    kwargs = checkpoint["kwargs"]
    floating = {name: tensor for name, tensor in checkpoint["state"].items() if tensor.is_floating_point()}
    state = publish.half_precision(floating)
    model = checkpoints.make(kwargs)
    model.load_state_dict({**checkpoint["state"], **{name: tensor.float() for name, tensor in state.items()}})
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    graph = build_graph(Checkpoint(kwargs, shapes)).SerializeToString(deterministic=True)
    publish.check(model.sources, signal_to_noise(model, graph))
    weights = save(state, metadata=metadata(kwargs))
    publish.write(folder, graph, weights, demucs_card(folder.name, title, model, graph, weights))


def export_spleeter(checkpoint: dict, folder: Path, title: str) -> None:
    """Small U-Nets; ValueError where the checkpoint or its graph is not sound."""
    kwargs = checkpoint["kwargs"]
    model = unet.Spleeter(**kwargs)
    model.load_state_dict(checkpoint["state"])
    named = spleeter_names.tensors(model)
    halves = publish.half_precision(named)
    recipe = spleeter.Recipe(tuple(kwargs["stems"]), "Elu", "Elu", filters=tuple(kwargs["filters"]),
                             frames=kwargs["frames"], fourth_root=True)  # fmt: skip
    if {name: tuple(tensor.shape) for name, tensor in halves.items()} != spleeter.shapes(recipe):
        raise ValueError("the checkpoint's tensors are not those of the graph")
    with torch.no_grad():  # PyTorch shall compute with what is stored
        for name, tensor in named.items():
            tensor.copy_(halves[name].float())
    graph = spleeter.build_graph(recipe).SerializeToString(deterministic=True)
    publish.check(list(recipe.stems), spleeter_names.signal_to_noise(model, graph, halves))
    weights = save(halves)
    digest = hashlib.sha256(weights).hexdigest()
    card = spleeter_card(folder.name, title, LICENCE, recipe, graph, "weights.safetensors", digest)
    publish.write(folder, graph, weights, card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="model folder; its name is the model's")
    parser.add_argument("--title", help="the name for people")
    options = parser.parse_args()
    checkpoint = checkpoints.read(options.checkpoint)
    try:
        if "frames" in checkpoint["kwargs"]:
            export_spleeter(checkpoint, options.out.resolve(), options.title or "A small Spleeter trained on synthetic music")
        else:
            export_demucs(checkpoint, options.out.resolve(), options.title or "A small HTDemucs trained on synthetic music")
    except ValueError as error:
        sys.exit(f"{options.checkpoint}: {error}")


if __name__ == "__main__":
    main()
