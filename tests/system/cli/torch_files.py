"""Files of `torch.save`, made without PyTorch."""
from __future__ import annotations

import io
import json
import math
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

# Storage class and bytes of an element, by the name of the type in safetensors.
TYPES = {"F32": ("FloatStorage", 4), "F16": ("HalfStorage", 2)}


@dataclass
class Storage:
    dtype: str
    content: bytes


def rebuild() -> None:
    raise AssertionError("only its name is pickled")


@dataclass
class Tensor:
    """A contiguous tensor, of a storage of its own."""

    dtype: str
    shape: list
    content: bytes

    def __reduce__(self):
        strides = [math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        return rebuild, (Storage(self.dtype, self.content), 0, tuple(self.shape), tuple(strides), False, OrderedDict())


class Pickler(pickle.Pickler):
    """Pickles the contents of storages as references to `storages`."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, protocol=2)
        self.storages: list[bytes] = []

    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        self.storages.append(thing.content)
        kind, size = TYPES[thing.dtype]
        return "storage", getattr(sys.modules["torch"], kind), str(len(self.storages) - 1), "cpu", len(thing.content) // size


def saved(path: Path, make: Callable[[], object]) -> Path:
    """The file that `torch.save(make(), path)` writes."""
    classes = {"torch": [kind for kind, _ in TYPES.values()], "demucs": [], "demucs.htdemucs": ["HTDemucs"], "torch._utils": []}
    with pytest.MonkeyPatch.context() as patch:
        for name, own in classes.items():
            module = types.ModuleType(name)
            for kind in own:
                setattr(module, kind, type(kind, (), {"__module__": name}))
            patch.setitem(sys.modules, name, module)
        patch.setattr(sys.modules["torch._utils"], "_rebuild_tensor_v2", rebuild, raising=False)
        patch.setattr(rebuild, "__module__", "torch._utils")
        patch.setattr(rebuild, "__qualname__", "_rebuild_tensor_v2")
        pickled = io.BytesIO()
        pickler = Pickler(pickled)
        pickler.dump(make())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("saved/data.pkl", pickled.getvalue())
        for key, content in enumerate(pickler.storages):
            archive.writestr(f"saved/data/{key}", content)
    return path


def read(weights: Path) -> tuple[dict, OrderedDict]:
    """Metadata and tensors of a safetensors file."""
    content = weights.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    metadata = header.pop("__metadata__", {})
    tensors = (
        (name, Tensor(tensor["dtype"], tensor["shape"], data[slice(*tensor["data_offsets"])]))
        for name, tensor in header.items()
    )  # fmt: skip
    return metadata, OrderedDict(tensors)


def state_of(weights: Path) -> OrderedDict:
    """The state dict with the tensors of a safetensors file. For use in `saved`."""
    return read(weights)[1]


def package_of(weights: Path) -> dict:
    """What Demucs saves of the network in a safetensors file. For use in `saved`."""
    metadata, state = read(weights)
    kwargs = json.loads(metadata["kwargs"])
    for name, value in kwargs.items():
        if isinstance(value, dict):
            kwargs[name] = Fraction(value["numerator"], value["denominator"])
    demucs = sys.modules["demucs.htdemucs"]
    return {"klass": demucs.HTDemucs, "args": (), "kwargs": kwargs, "state": state, "training_args": {"seed": 42}}
