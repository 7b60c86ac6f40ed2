#!/usr/bin/env python3
"""Makes a model folder from a trained checkpoint: weights, graph and card.

    pip install demucs==4.1.0 torch numpy safetensors onnx onnxruntime
    export.py CHECKPOINT --out models/mini [--title TEXT]

CHECKPOINT is a PyTorch file with a dict: "kwargs", the arguments of HTDemucs, and "state", its state_dict. The weights
are written as F16 in the layout of the published checkpoints, and the graph is held against PyTorch with these
weights. Only when both agree is anything written.
"""
import argparse
import hashlib
import json
import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import save

from graph import Checkpoint, build_graph
from graph.checkpoint import metadata
from graph.parity import signal_to_noise
from residual import SHARES

# What the golden tests of the published topology reach with room to spare; an error in the graph is far below.
LEAST_DECIBELS = 85.0
OVERLAP = 0.25


def half_precision(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights as F16; ValueError naming those that are not finite, or are no longer once they are F16."""
    halves = {name: tensor.detach().cpu().half().contiguous() for name, tensor in state.items()}
    broken = [name for name, tensor in halves.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"not finite as F16: {', '.join(broken)}")
    return halves


def card(name: str, title: str, kwargs: dict[str, Any], model: HTDemucs, files: dict[str, bytes]) -> str:
    """The TOML that describes the model; `files` are the graph and the weights, by the card's name of each."""
    text = f"""\
name = {json.dumps(name)}
title = {json.dumps(title)}
family = "htdemucs"
stems = {json.dumps(list(kwargs["sources"]))}
sample_rate = {model.samplerate}
segment = {int(model.segment * model.samplerate)}
overlap = {OVERLAP}
residual_shares = {list(SHARES)}
licence = "MIT OR Apache-2.0"

[stft]
size = {model.nfft}
hop = {model.hop_length}
"""
    for file, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        text += f'\n[{file.split(".")[0]}]\nfile = "{file}"\nsha256 = "{digest}"\n'
    return text


def export(checkpoint: dict[str, Any], folder: Path, title: str) -> None:
    """Writes the three files; ValueError where the checkpoint or its graph is not sound."""
    kwargs, state = checkpoint["kwargs"], half_precision(checkpoint["state"])
    model = HTDemucs(**kwargs).eval()
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    graph = build_graph(Checkpoint(kwargs, shapes)).SerializeToString(deterministic=True)
    decibels = signal_to_noise(model, graph)
    told = ", ".join(f"{stem} {level:.1f}" for stem, level in zip(kwargs["sources"], decibels))
    print(f"graph against PyTorch, dB: {told}")
    if not min(decibels) >= LEAST_DECIBELS:
        raise ValueError(f"the graph does not compute what PyTorch does: less than {LEAST_DECIBELS} dB")
    files = {"graph.onnx": graph, "weights.safetensors": save(state, metadata=metadata(kwargs))}
    text = card(folder.name, title, kwargs, model, files)
    folder.mkdir(parents=True, exist_ok=True)
    # The card last: until it is there, the old one's hashes refuse the new files.
    for name, content in {**files, "card.toml": text.encode()}.items():
        part = folder / f"{name}.part"
        part.write_bytes(content)
        os.replace(part, folder / name)
        print(f"{folder / name}: {len(content):,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="model folder; its name is the model's")
    parser.add_argument("--title", default="A small HTDemucs trained on synthetic music", help="the name for people")
    options = parser.parse_args()
    # Tensors and plain values only: a checkpoint from elsewhere must not run code.
    with torch.serialization.safe_globals([Fraction]):
        checkpoint = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    try:
        export(checkpoint, options.out.resolve(), options.title)
    except ValueError as error:
        sys.exit(f"{options.checkpoint}: {error}")


if __name__ == "__main__":
    main()
