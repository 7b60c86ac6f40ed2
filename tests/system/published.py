"""A file in the layout of a published model, and a program for which it is the published one.

The authors' files are not available to the tests. The program is a copy in which the hash of the made file stands in place of the
published one."""
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from .repository import ROOT

# Fields of ONNX messages: name, number, whether they are repeated, and type.
Field = descriptor_pb2.FieldDescriptorProto
ONNX: dict[str, list[tuple]] = {
    "Tensor": [("dims", 1, True, Field.TYPE_INT64), ("name", 8, False, Field.TYPE_STRING), ("data_location", 14, False, Field.TYPE_INT32)],
    "Graph": [("initializer", 5, True, "Tensor")],
    "Model": [("graph", 7, False, "Graph")],
}
EXTERNAL = 1


def card(model: str) -> dict:
    return tomllib.loads((ROOT / "models" / model / "card.toml").read_text())


def checkpoint(model: str) -> bytes:
    """A safetensors file with random values as F16 for all tensors of a model's graph."""
    shapes = open_tensors(ROOT / "models" / model / "graph.onnx")
    random = np.random.default_rng(1)
    header, data = {}, bytearray()
    for name, shape in shapes.items():
        values = (random.standard_normal(shape, dtype=np.float32) * 0.05).astype("<f2").tobytes()
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def program(binary: str, folder: Path, model: str, weights: bytes) -> str:
    """A copy of the program for which `weights` is the published file of a model."""
    published, made = card(model)["weights"]["sha256"].encode(), hashlib.sha256(weights).hexdigest().encode()
    content = Path(binary).read_bytes()
    assert published in content
    copy = folder / "stemwire"
    copy.write_bytes(content.replace(published, made))
    copy.chmod(0o755)
    return str(copy)


def open_tensors(graph: Path) -> dict:
    """The shapes of the tensors of an ONNX graph whose values are in another file, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="onnx.proto", syntax="proto2")
    for name, fields in ONNX.items():
        message = file.message_type.add(name=name)
        for field, number, is_repeated, kind in fields:
            added = message.field.add(name=field, number=number)
            added.label = Field.LABEL_REPEATED if is_repeated else Field.LABEL_OPTIONAL
            if isinstance(kind, str):
                added.type_name = f".{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    model: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("Model")).FromString(graph.read_bytes())
    return {tensor.name: list(tensor.dims) for tensor in model.graph.initializer if tensor.data_location == EXTERNAL}
