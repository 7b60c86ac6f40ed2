"""From a checkpoint to the network that it is of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import load_file
from torch import nn

import spleeter_names
import unet
from graph import Checkpoint
from masks import MaskNet
from mini import Mini

BRANCH = "masks."  # before the names of a mini model's mask branch


def read(path: Path) -> dict[str, Any]:
    """The checkpoint's dict, with "kwargs" and "state"; of a model's weights.safetensors, as far as that has them."""
    if path.suffix == ".safetensors":
        return {"kwargs": Checkpoint.read(path).kwargs, "state": load_file(path)}
    # Tensors and plain values only: a checkpoint from elsewhere must not run code.
    with torch.serialization.safe_globals([Fraction]):
        return torch.load(path, map_location="cpu", weights_only=True)


def make(kwargs: dict[str, Any]) -> nn.Module:
    """A network of random weights. The arguments tell which: no two kinds have the same."""
    if "mask_filters" in kwargs:
        return Mini(**kwargs)
    if "sources" in kwargs:
        return HTDemucs(**kwargs)
    return (unet.Spleeter if "frames" in kwargs else MaskNet)(**kwargs)


def load(path: Path) -> nn.Module:
    """The network with its weights."""
    saved = read(path)
    model = make(saved["kwargs"])
    # A model's file has no counts of what a norm has seen, which only the training uses.
    missing, unknown = model.load_state_dict(saved["state"], strict=False)
    if unknown or not all(name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"{path} lacks {missing} and has {unknown}, which the network does not know")
    return model.eval()


def begin_with(model: nn.Module, weights: Path) -> None:
    """Copies a checkpoint's weights, or those of a model folder's weights.safetensors, into a network of the same kind.

    What the network has and the file has not keeps its first values; KeyError where it is the other way round. A mask branch
    takes its part of a mini model, and a mini model takes a mask branch's.
    """
    state = load_file(weights) if weights.suffix == ".safetensors" else read(weights)["state"]
    own = model.state_dict()
    branch = {name.removeprefix(BRANCH): tensor for name, tensor in state.items() if name.startswith(BRANCH)}
    if isinstance(model, MaskNet) and branch:
        state = branch
    if isinstance(model, Mini) and f"{BRANCH}{next(iter(state))}" in own:
        state = {BRANCH + name: tensor for name, tensor in state.items()}
    if isinstance(model, unet.Spleeter) and not own.keys() >= state.keys():
        own = spleeter_names.tensors(model)
    with torch.no_grad():
        for name, tensor in state.items():
            own[name].copy_(tensor)
    print(f"{weights}: {len(state)} tensors; {len(own.keys() - state.keys())} others keep their first values")
