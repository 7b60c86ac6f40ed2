"""The head of a checkpoint in the published safetensors layout: hyperparameters and tensor shapes, no values.

A safetensors file begins with the length of its JSON header (u64, little endian) and the header, which holds
shape and dtype of every tensor, and under `__metadata__` strings: here `klass`, `args` and `kwargs`, the last two
as JSON, in which a fraction is {"_type": "fraction", "numerator": n, "denominator": d}.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

KLASS = "demucs.htdemucs.HTDemucs"


@dataclass(frozen=True)
class Checkpoint:
    """What a graph is made from."""

    kwargs: dict[str, Any]
    """Arguments of HTDemucs, fractions as `Fraction`."""
    shapes: dict[str, tuple[int, ...]]
    """Shape of every tensor, by name."""

    @staticmethod
    def read(path: Path) -> Checkpoint:
        """Reads the head of a safetensors file; ValueError where it is no HTDemucs."""
        with path.open("rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        metadata = head.pop("__metadata__", {})
        if metadata.get("klass") != KLASS:
            raise ValueError(f"{path.name} holds {metadata.get('klass')!r}, not {KLASS!r}")
        if json.loads(metadata.get("args", "[]")):
            raise ValueError(f"{path.name} has positional arguments, whose names are not known")
        kwargs = json.loads(metadata["kwargs"], object_hook=_from_json)
        return Checkpoint(kwargs, {name: tuple(tensor["shape"]) for name, tensor in head.items()})


def metadata(kwargs: dict[str, Any]) -> dict[str, str]:
    """The metadata that `Checkpoint.read` understands."""
    return {"klass": KLASS, "args": "[]", "kwargs": json.dumps(kwargs, default=_to_json)}


def _from_json(value: dict[str, Any]) -> Any:
    if value.get("_type") == "fraction":
        return Fraction(value["numerator"], value["denominator"])
    return value


def _to_json(value: Any) -> Any:
    if isinstance(value, Fraction):
        return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
    raise TypeError(f"{value!r} has no place in a checkpoint's metadata")
