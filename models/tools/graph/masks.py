"""The mask branch of the mini model (masks.py), on the normalised spectrum that HTDemucs sees."""
from __future__ import annotations

from .builder import GraphBuilder, Value

BINS, TOP, LOWEST = 1024, 128, 2  # as in masks.py
KERNEL, STRIDE, PAD = 5, 2, 2
NORM_EPSILON = 1e-5  # PyTorch's default
SLOPE = 0.2


def masks(graph: GraphBuilder, spectrum: Value, stems: int, depth: int) -> Value:
    """[1, S, 2, F, N], which sum to 1 over the stems, of a normalised spectrum [1, 4, F, N]."""
    bins, columns = spectrum.shape[2:]
    surplus = -columns % STRIDE**depth
    value = _fourth_root_of_magnitudes(graph, spectrum)
    value = _pad_columns(graph, value, surplus)
    skips: list[Value] = []
    for index in range(depth):
        with graph.scope(f"masks.down.{index}"):
            value = _step(graph, value, f"masks.down.{index}", turned=False)
        if index == 0:
            height = graph.parameter("masks.height")
            value = graph.add(value, graph.reshape(height, (1, *height.shape)))
        with graph.scope(f"masks.across.{index}"):
            value = _across(graph, value, f"masks.across.{index}")
        skips.append(value)
    skips.pop()
    for index in range(depth):
        if index:
            value = graph.concat([skips.pop(), value], axis=1)
        with graph.scope(f"masks.up.{index}"):
            value = _step(graph, value, f"masks.up.{index}", turned=True)
    with graph.scope("masks.head"):
        inputs = [value, graph.parameter("masks.head.weight"), graph.parameter("masks.head.bias")]
        value = graph.node("Conv", inputs, value.shape, kernel_shape=[3, 3], pads=[1] * 4)
        value = graph.split(value, [columns, surplus], axis=3)[0] if surplus else value
        value = graph.reshape(value, (1, stems, 2, BINS, columns))
        value = graph.unary("Softmax", value, axis=1)
        top = graph.split(value, [BINS - TOP, TOP], axis=3)[1]
        mean = graph.divide(graph.reduce("ReduceSum", top, [3]), graph.constant(TOP))
        shape = (1, stems, 2, bins - BINS, columns)
        above = graph.node("Expand", [mean, graph.constant(shape, "int64")], shape)
        return graph.concat([value, above], axis=3)


def apply(graph: GraphBuilder, masks: Value, spectrum: Value) -> Value:
    """Stems' spectra [1, S, 4, F, N] of a mixture's [1, 4, F, N]: real and imaginary part of a channel have one mask."""
    _, stems, channels, bins, columns = masks.shape
    parts = graph.reshape(spectrum, (1, 1, channels, 2, bins, columns))
    factors = graph.reshape(masks, (1, stems, channels, 1, bins, columns))
    return graph.reshape(graph.multiply(factors, parts), (1, stems, 2 * channels, bins, columns))


def _fourth_root_of_magnitudes(graph: GraphBuilder, spectrum: Value) -> Value:
    """[1, 2, BINS, N] from real and imaginary parts [1, 4, F, N]; the lowest bins are as the first that counts."""
    _, parts, bins, columns = spectrum.shape
    low = graph.split(spectrum, [LOWEST, BINS - LOWEST, bins - BINS], axis=2)[1]
    low = graph.reshape(low, (1, parts // 2, 2, BINS - LOWEST, columns))
    value = graph.reshape(graph.reduce("ReduceSumSquare", low, [2]), (1, parts // 2, BINS - LOWEST, columns))
    for _ in range(3):
        value = graph.unary("Sqrt", value)
    first = graph.split(value, [1, BINS - LOWEST - 1], axis=2)[0]
    return graph.concat([first] * LOWEST + [value], axis=2)


def _pad_columns(graph: GraphBuilder, value: Value, surplus: int) -> Value:
    """Silence behind, so that every step can halve the columns."""
    pads = graph.constant([0, 0, 0, 0, 0, 0, 0, surplus], "int64")
    shape = (*value.shape[:3], value.shape[3] + surplus)
    return graph.node("Pad", [value, pads], shape) if surplus else value


def _step(graph: GraphBuilder, value: Value, name: str, turned: bool) -> Value:
    """Half the size, or twice of it (`turned`). The norm is a factor and an addend of the weights: nothing at run time."""
    factor, addend = _norm(graph, f"{name}.norm")
    weight, bias = graph.parameter(f"{name}.convolution.weight"), graph.parameter(f"{name}.convolution.bias")
    outputs = weight.shape[1 if turned else 0]
    across = (1, outputs, 1, 1) if turned else (outputs, 1, 1, 1)
    weight = graph.multiply(weight, graph.reshape(factor, across))
    bias = graph.add(graph.multiply(bias, factor), addend)
    sizes = [size * STRIDE if turned else size // STRIDE for size in value.shape[2:]]
    # Twice the size: what the kernel spreads beyond it is cut off, one row and column less behind than in front.
    pads = [PAD, PAD, PAD - 1, PAD - 1] if turned else [PAD] * 4
    value = graph.node("ConvTranspose" if turned else "Conv", [value, weight, bias], (1, outputs, *sizes),
                       kernel_shape=[KERNEL] * 2, strides=[STRIDE] * 2, pads=pads)  # fmt: skip
    return graph.unary("LeakyRelu", value, alpha=SLOPE)


def _across(graph: GraphBuilder, value: Value, name: str) -> Value:
    """Adds what all frequencies tell each of them."""
    factor, addend = (graph.reshape(part, (1, *part.shape, 1, 1)) for part in _norm(graph, f"{name}.norm"))
    down, up = graph.parameter(f"{name}.down"), graph.parameter(f"{name}.up")
    _, channels, bins, columns = value.shape
    narrow = graph.node("MatMul", [down, value], (1, channels, down.shape[0], columns))
    narrow = graph.unary("LeakyRelu", graph.add(graph.multiply(narrow, factor), addend), alpha=SLOPE)
    return graph.add(value, graph.node("MatMul", [up, narrow], (1, channels, bins, columns)))


def _norm(graph: GraphBuilder, name: str) -> tuple[Value, Value]:
    """A batch norm as factor and addend, each (channels,)."""
    weight, bias, mean, variance = (graph.parameter(f"{name}.{part}")
                                    for part in ("weight", "bias", "running_mean", "running_var"))
    factor = graph.divide(weight, graph.unary("Sqrt", graph.add(variance, graph.constant(NORM_EPSILON))))
    return factor, graph.subtract(bias, graph.multiply(mean, factor))
