"""Spleeter's U-Nets, one a stem, in one graph (spleeter/model/functions/unet.py), under TensorFlow's names of their variables.

TensorFlow numbers its layers over all stems, in the order in which they are built. Its kernels lie as [height, width, in,
out], those of transposed convolutions as [height, width, out, in]; both are turned for ONNX by the same transposition,
which the runtime computes once, at load.
"""
from __future__ import annotations

import itertools
from dataclasses import dataclass

import onnx

from .builder import GraphBuilder, Value

EPSILON = 1e-3  # Keras' default
KERNEL, STRIDE = 5, 2
MASK_KERNEL, MASK_DILATION = 4, 2
# What TensorFlow pads an even size with for a stride of two: one in front, two behind.
PADS = [1, 1, 2, 2]


@dataclass(frozen=True)
class Recipe:
    """What the shapes of a checkpoint do not tell. A wrong activation computes silent garbage."""

    stems: tuple[str, ...]
    """In the order in which TensorFlow built their networks."""
    down: str
    """The ONNX operator after each convolution's norm."""
    up: str
    """The ONNX operator before each transposed convolution's norm."""
    softmax: bool = False
    """Whether the masks of all stems sum to 1; else each is a sigmoid of its own."""
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    frames: int = 512
    """T: spectrum frames of a window."""
    bins: int = 1024
    """F: the lowest bins, which alone the network sees."""
    fourth_root: bool = False
    """Whether the network sees the fourth root of the magnitudes, as this project's own does."""


PUBLISHED = {
    "spleeter-2stems": Recipe(("vocals", "accompaniment"), "LeakyRelu", "Relu"),
    "spleeter-4stems": Recipe(("vocals", "drums", "bass", "other"), "Elu", "Elu"),
    "spleeter-5stems": Recipe(("vocals", "piano", "drums", "bass", "other"), "Elu", "Elu", softmax=True),
}


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Every variable that the graph reads. A checkpoint also holds the norm of each deepest layer, which nothing reads."""
    found: dict[str, tuple[int, ...]] = {}
    widths = [2, *recipe.filters]
    ups = [*recipe.filters[-2::-1], 1]
    sources = [recipe.filters[-1], *(2 * width for width in ups[:-1])]
    for layers in map(Layers, range(len(recipe.stems)), [len(recipe.filters)] * len(recipe.stems)):
        for depth, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            found |= _layer(layers.convolution(depth), (KERNEL, KERNEL, inputs, outputs), outputs)
            if depth < len(recipe.filters) - 1:
                found |= {f"{layers.norm(depth)}/{part}": (outputs,) for part in NORM_PARTS}
        for depth, (inputs, outputs) in enumerate(zip(sources, ups)):
            found |= _layer(layers.transposed(depth), (KERNEL, KERNEL, outputs, inputs), outputs)
            found |= {f"{layers.up_norm(depth)}/{part}": (outputs,) for part in NORM_PARTS}
        found |= _layer(layers.mask(), (MASK_KERNEL, MASK_KERNEL, 1, 2), 2)
    return found


def build_graph(recipe: Recipe) -> onnx.ModelProto:
    """Input `magnitudes` [1, 2, T, F] of an unscaled STFT, output `estimates` [1, S, 2, T, F], magnitudes of the stems."""
    graph = GraphBuilder(shapes(recipe))
    magnitudes = graph.input("magnitudes", (1, 2, recipe.frames, recipe.bins))
    shown = magnitudes
    if recipe.fourth_root:
        shown = graph.unary("Sqrt", graph.unary("Sqrt", magnitudes))
    logits = []
    for index, stem in enumerate(recipe.stems):
        with graph.scope(stem):
            logit = _network(graph, shown, Layers(index, len(recipe.filters)), recipe)
            logits.append(graph.reshape(logit, (1, 1, *logit.shape[1:])))
    stacked = graph.concat(logits, axis=1)
    masks = graph.unary("Softmax", stacked, axis=1) if recipe.softmax else _sigmoid(graph, stacked)
    graph.output(graph.multiply(masks, magnitudes), "estimates")
    return graph.model("spleeter", {"family": "spleeter", "stems": " ".join(recipe.stems)})


NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")


class Layers:
    """The names of one stem's layers. Every stem takes `depth` + 1 convolutions, the last for the mask."""

    def __init__(self, stem: int, depth: int) -> None:
        self._stem, self._depth = stem, depth

    def convolution(self, index: int) -> str:
        return _numbered("conv2d", self._stem * (self._depth + 1) + index)

    def norm(self, index: int) -> str:
        return _numbered("batch_normalization", self._stem * 2 * self._depth + index)

    def transposed(self, index: int) -> str:
        return _numbered("conv2d_transpose", self._stem * self._depth + index)

    def up_norm(self, index: int) -> str:
        return self.norm(self._depth + index)

    def mask(self) -> str:
        return self.convolution(self._depth)


def _numbered(name: str, index: int) -> str:
    return f"{name}_{index}" if index else name


def _layer(name: str, kernel: tuple[int, ...], outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/kernel": kernel, f"{name}/bias": (outputs,)}


def _network(graph: GraphBuilder, value: Value, layers: Layers, recipe: Recipe) -> Value:
    """One stem's logits [1, 2, T, F]."""
    skips: list[Value] = []
    for index in range(len(recipe.filters)):
        if index:
            value = _activation(graph, _norm(graph, value, layers.norm(index - 1)), recipe.down)
        value = _convolution(graph, value, layers.convolution(index))
        # The skip takes the convolution's output before its norm.
        skips.append(value)
    skips.pop()
    for index in range(len(recipe.filters)):
        if index:
            value = graph.concat([skips.pop(), value], axis=1)
        value = _transposed_convolution(graph, value, layers.transposed(index))
        value = _norm(graph, _activation(graph, value, recipe.up), layers.up_norm(index))
    pad = MASK_DILATION * (MASK_KERNEL - 1) // 2
    weight, bias = _weight_and_bias(graph, layers.mask())
    shape = (1, 2, *value.shape[2:])
    return graph.node("Conv", [value, weight, bias], shape, kernel_shape=[MASK_KERNEL] * 2, pads=[pad] * 4,
                      dilations=[MASK_DILATION] * 2)  # fmt: skip


def _convolution(graph: GraphBuilder, value: Value, name: str) -> Value:
    weight, bias = _weight_and_bias(graph, name)
    shape = (1, weight.shape[0], *(size // STRIDE for size in value.shape[2:]))
    return graph.node("Conv", [value, weight, bias], shape, kernel_shape=[KERNEL] * 2, strides=[STRIDE] * 2, pads=PADS)


def _transposed_convolution(graph: GraphBuilder, value: Value, name: str) -> Value:
    weight, bias = _weight_and_bias(graph, name)
    shape = (1, weight.shape[1], *(size * STRIDE for size in value.shape[2:]))
    inputs = [value, weight, bias]
    return graph.node("ConvTranspose", inputs, shape, kernel_shape=[KERNEL] * 2, strides=[STRIDE] * 2, pads=PADS)


def _weight_and_bias(graph: GraphBuilder, name: str) -> tuple[Value, Value]:
    return graph.transpose(graph.parameter(f"{name}/kernel"), [3, 2, 0, 1]), graph.parameter(f"{name}/bias")


def _norm(graph: GraphBuilder, value: Value, name: str) -> Value:
    inputs = [value, *(graph.parameter(f"{name}/{part}") for part in NORM_PARTS)]
    return graph.node("BatchNormalization", inputs, value.shape, epsilon=EPSILON)


def _sigmoid(graph: GraphBuilder, value: Value) -> Value:
    """Written out, because the runtime's own is exact to 1e-7 only, and ratio masks divide by what is far smaller."""
    one = graph.constant(1.0)
    return graph.divide(one, graph.add(one, graph.unary("Exp", graph.unary("Neg", value))))


def _activation(graph: GraphBuilder, value: Value, kind: str) -> Value:
    return graph.unary(kind, value, **({"alpha": 0.2} if kind == "LeakyRelu" else {}))
