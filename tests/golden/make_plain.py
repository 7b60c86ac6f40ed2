#!/usr/bin/env python3
"""Makes the self-contained graphs that hold the contract of `models/README.md`: tests/golden/plain/.

    pip install numpy onnx
    make_plain.py

Each splits what it is given by constant shares, so that every stem is a known part of the mixture: 0.25 and 0.75
in all, and of `four` 0.1 to 0.4. `waveform` and `four` take and yield waveforms, `spectrogram` spectra, `both` adds half of
each share by either way, and `open` leaves the length open, as exporters often do. `wrong` yields fewer frames than it is given.
"""
import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent / "plain"
SEGMENT, SIZE, HOP = 32_768, 1024, 256
WAVE, SPECTRUM = (1, 2, SEGMENT), (1, 4, SIZE // 2, SEGMENT // HOP)
SHARES = {"vocals": 0.25, "other": 0.75}
FOUR = {"drums": 0.1, "bass": 0.2, "other": 0.3, "vocals": 0.4}

CARD = """name = "{name}"
title = "Constant shares, for tests"
family = "onnx"
stems = {stems}
sample_rate = 44100
segment = {segment}
overlap = 0.25
licence = "MIT OR Apache-2.0"
{stft}
[graph]
file = "graph.onnx"
sha256 = "{sha256}"
"""


def scaled(source: str, target: str, shape: tuple, shares: np.ndarray) -> tuple:
    """`target` [1, S, *shape[1:]] from `source`, each stem its share."""
    values = shares.reshape(1, -1, *[1] * (len(shape) - 1))
    axis = numpy_helper.from_array(np.array([1], np.int64), f"{target}_axis")
    constant = numpy_helper.from_array(values, f"{target}_shares")
    nodes = [
        helper.make_node("Unsqueeze", [source, axis.name], [f"{target}_mix"]),
        helper.make_node("Mul", [f"{target}_mix", constant.name], [target]),
    ]
    return nodes, [axis, constant]


def write(name: str, wave: bool, spectrum: bool, length: object = SEGMENT, cut: int = 0, shares: dict = SHARES) -> None:
    nodes: list = []
    initializers: list = []
    inputs, outputs = [], []
    for used, source, target, shape in [
        (wave, "mix", "stems", WAVE), (spectrum, "mix_spectrogram", "stem_spectrograms", SPECTRUM),
    ]:
        if not used:
            continue
        inner = f"{target}_whole" if cut else target
        factor = np.float32(0.5 if wave and spectrum else 1.0)
        more, constants = scaled(source, inner, shape, factor * np.array([*shares.values()], np.float32))
        if cut:
            ends = [numpy_helper.from_array(np.array([end], np.int64), f"end_{end}") for end in (0, SEGMENT - cut, 3)]
            more.append(helper.make_node("Slice", [inner, *[end.name for end in ends]], [target]))
            constants += ends
        nodes, initializers = nodes + more, initializers + constants
        last = length if source == "mix" else shape[-1]
        inputs.append(helper.make_tensor_value_info(source, TensorProto.FLOAT, (*shape[:-1], last)))
        outputs.append(helper.make_tensor_value_info(target, TensorProto.FLOAT, (1, len(shares), *shape[1:-1], last)))
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="stemwire")
    content = model.SerializeToString(deterministic=True)
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.onnx").write_bytes(content)
    stft = f"stft = {{ size = {SIZE}, hop = {HOP} }}\n" if spectrum else ""
    sha256 = hashlib.sha256(content).hexdigest()
    stems = "[" + ", ".join(f'"{stem}"' for stem in shares) + "]"
    (folder / "card.toml").write_text(CARD.format(name=name, stems=stems, segment=SEGMENT, stft=stft, sha256=sha256))


if __name__ == "__main__":
    write("waveform", True, False)
    write("four", True, False, shares=FOUR)
    write("spectrogram", False, True)
    write("both", True, True)
    write("open", True, False, length="frames")
    write("wrong", True, False, length="frames", cut=7)
