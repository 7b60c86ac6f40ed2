"""The convolutional layers of both branches, on [1, C, F, N] spectra or [1, C, T] waveforms.

Both branches go through the same functions. On spectra, strided convolutions run along F and the dilated ones of DConv
along N, which in the reference are one-dimensional on every bin. Here the spectrum stays in one piece, with kernels
[1, K] and sums per bin: that is the same, needs no transposes, and lets the runtime pick its fast two-dimensional
convolutions.
"""
from __future__ import annotations

import math

from .builder import GraphBuilder, Value
from .config import Config

EPSILON = 1e-5  # of PyTorch's norms, and of HTDemucs' own normalisation


def encoder(graph: GraphBuilder, value: Value, name: str, config: Config) -> Value:
    """[1, C', L / stride, ...] from [1, C, L, ...]; L is filled up with zeros to a multiple of the stride."""
    pad, missing = config.kernel_size // 4, -value.shape[2] % config.stride
    weight, bias = weight_and_bias(graph, f"{name}.conv")
    value = convolution(graph, value, weight, bias, pads=(pad, pad + missing), stride=config.stride)
    value = graph.unary("Gelu", value)
    if config.dconv_mode & 1:
        value = _dconv(graph, value, f"{name}.dconv", config)
    if config.rewrite:
        value = gated_convolution(graph, value, *weight_and_bias(graph, f"{name}.rewrite"))
    return value


def decoder(
    graph: GraphBuilder, value: Value, skip: Value, name: str, config: Config, length: int, last: bool
) -> Value:
    """[1, C', length, ...] from [1, C, L, ...] and the encoder's output of that shape."""
    value = graph.add(value, skip)
    if config.rewrite:
        value = gated_convolution(graph, value, *weight_and_bias(graph, f"{name}.rewrite"))
    if config.dconv_mode & 2:
        value = _dconv(graph, value, f"{name}.dconv", config)
    value = _transposed_convolution(graph, value, f"{name}.conv_tr", config, length)
    return value if last else graph.unary("Gelu", value)


def weight_and_bias(graph: GraphBuilder, name: str) -> tuple[Value, Value]:
    """The two parameters that most layers have."""
    return graph.parameter(f"{name}.weight"), graph.parameter(f"{name}.bias")


def convolution(
    graph: GraphBuilder, value: Value, weight: Value, bias: Value | None, axis: int = 2,
    pads: tuple[int, int] | None = None, stride: int = 1, dilation: int = 1, groups: int = 1,
) -> Value:  # fmt: skip
    """Convolution along `axis`, padded there by `pads`, and to the same size along any other.

    A weight [C', C, K] for a value with more axes is one along `axis` alone. Without `pads`, all sizes stay.
    """
    rank, along = len(value.shape) - 2, axis - 2
    if len(weight.shape) < len(value.shape):
        shape = [*weight.shape[:2], *[1] * rank]
        shape[axis] = weight.shape[2]
        weight = graph.reshape(weight, shape)
    kernel, strides, dilations = weight.shape[2:], [1] * rank, [1] * rank
    before, after = [size // 2 for size in kernel], [size // 2 for size in kernel]
    strides[along], dilations[along] = stride, dilation
    if pads:
        before[along], after[along] = pads
    shape = [1, weight.shape[0]]
    for size, width, step, spread, *ends in zip(value.shape[2:], kernel, strides, dilations, before, after):
        shape.append((size + sum(ends) - spread * (width - 1) - 1) // step + 1)
    inputs = [value, weight, bias] if bias else [value, weight]
    grouped = {"group": groups} if groups > 1 else {}
    return graph.node(
        "Conv", inputs, shape, kernel_shape=kernel, strides=strides, dilations=dilations, pads=[*before, *after], **grouped
    )


def total(graph: GraphBuilder, kind: str, value: Value, axes: list[int]) -> Value:
    """Sum over the axes, in two steps, innermost first: a single running float32 sum would lose digits."""
    rows = graph.reduce(kind, value, axes[-1:])
    return graph.reduce("ReduceSum", rows, axes[:-1]) if len(axes) > 1 else rows


def normalised(graph: GraphBuilder, value: Value, axes: list[int], weight: Value, bias: Value) -> Value:
    """The value with mean 0 and variance 1 over `axes`, times weight, plus bias."""
    size = graph.constant(math.prod(value.shape[axis] for axis in axes))
    centred = graph.subtract(value, graph.divide(total(graph, "ReduceSum", value, axes), size))
    variance = graph.divide(total(graph, "ReduceSumSquare", centred, axes), size)
    return graph.add(graph.multiply(centred, graph.multiply(weight, _inverse_deviation(graph, variance))), bias)


def _inverse_deviation(graph: GraphBuilder, variance: Value) -> Value:
    deviation = graph.unary("Sqrt", graph.add(variance, graph.constant(EPSILON)))
    return graph.unary("Reciprocal", deviation)


def gated_convolution(graph: GraphBuilder, value: Value, weight: Value, bias: Value) -> Value:
    """[1, C', ...]: a convolution to twice as many channels, whose first half is gated by the second (GLU).

    Two convolutions of half the width: splitting weights costs nothing at run time, splitting values does.
    """
    halves = [weight.shape[0] // 2] * 2
    weights, biases = graph.split(weight, halves, axis=0), graph.split(bias, halves, axis=0)
    content, gate = (convolution(graph, value, *both) for both in zip(weights, biases))
    return graph.multiply(content, graph.unary("Sigmoid", gate))


def _dconv(graph: GraphBuilder, value: Value, name: str, config: Config) -> Value:
    """The residual branch: dilated convolutions along time through few channels. Shape as `value`."""
    time = len(value.shape) - 1
    for index in range(abs(config.dconv_depth)):
        layer = f"{name}.layers.{index}"
        dilation = 2**index if config.dconv_depth > 0 else 1
        pads = (dilation, dilation)
        weight, bias = weight_and_bias(graph, f"{layer}.0")
        inner = convolution(graph, value, weight, bias, time, pads, dilation=dilation)
        column = (inner.shape[1], *[1] * (time - 1))
        weight, bias = (graph.reshape(parameter, column) for parameter in weight_and_bias(graph, f"{layer}.1"))
        inner = graph.unary("Gelu", normalised(graph, inner, [1, time], weight, bias))
        value = graph.add(value, _normalised_expansion(graph, inner, layer))
    return value


def _normalised_expansion(graph: GraphBuilder, value: Value, layer: str) -> Value:
    """[1, C, ...] from the few channels H of `value`: convolution to 2 C with kernel 1, norm of each bin, GLU, scale.

    The norm's passes over the wide result would take longer than all of DConv's convolutions. But with y = W x + b, its
    mean and variance follow from the narrow x: the squares of W x sum to x' (W' W) x. Given these, the norm is linear
    in x, so the convolution yields the normalised result at once, from x, 1 and the mean, each over the deviation.
    """
    time = len(value.shape) - 1
    weight, bias = weight_and_bias(graph, f"{layer}.3")
    norm_weight, norm_bias = weight_and_bias(graph, f"{layer}.4")
    wide, narrow, length = weight.shape[0], value.shape[1], value.shape[time]
    # Sums of squares within the wide channels, around each one's mean, and between these means.
    mean = graph.divide(graph.reduce("ReduceSum", value, [time]), graph.constant(length))
    centred = graph.subtract(value, mean)
    matrix = graph.reshape(weight, (wide, narrow))
    gram = graph.matmul(graph.transpose(matrix, [1, 0]), matrix)
    projected = convolution(graph, centred, graph.reshape(gram, (narrow, narrow, 1)), None)
    within = total(graph, "ReduceSum", graph.multiply(centred, projected), [1, time])
    wide_means = convolution(graph, mean, weight, bias)
    wide_mean = graph.divide(graph.reduce("ReduceSum", wide_means, [1]), graph.constant(wide))
    between = graph.reduce("ReduceSumSquare", graph.subtract(wide_means, wide_mean), [1])
    squares = graph.add(within, graph.multiply(between, graph.constant(length)))
    inverse = _inverse_deviation(graph, graph.divide(squares, graph.constant(wide * length)))
    # The convolution's input, the two numbers of each bin as channels that do not change.
    still = graph.concat([inverse, graph.multiply(wide_mean, inverse)], axis=1)
    shape = (1, 2, *value.shape[2:])
    still = graph.node("Expand", [still, graph.constant(shape, "int64")], shape)
    value = graph.concat([graph.multiply(value, inverse), still], axis=1)
    # Its weight [2 C, H + 2]. The scale goes in before the gate, as the gated half is linear in it.
    scale = graph.parameter(f"{layer}.6.scale")
    scale = graph.concat([scale, graph.constant([1.0] * (wide - scale.shape[0]))], axis=0)
    columns = [matrix, graph.reshape(bias, (wide, 1)), graph.constant([[-1.0]] * wide)]
    factor = graph.multiply(norm_weight, scale)
    weight = graph.multiply(graph.concat(columns, axis=1), graph.reshape(factor, (wide, 1)))
    weight = graph.reshape(weight, (wide, narrow + 2, 1))
    return gated_convolution(graph, value, weight, graph.multiply(norm_bias, scale))


def _transposed_convolution(graph: GraphBuilder, value: Value, name: str, config: Config, length: int) -> Value:
    """Transposed convolution along the first axis; as padded by the encoder, so cropped here, to `length`."""
    weight, bias = weight_and_bias(graph, name)
    rank, crop = len(value.shape) - 2, config.kernel_size // 4
    surplus = (value.shape[2] - 1) * config.stride + weight.shape[2] - length
    if rank == 1 and weight.shape[2] == 2 * config.stride and config.stride % 2 == 0:
        return _interleaved_convolution(graph, value, weight, bias, config.stride, length)
    still = [0] * (rank - 1)
    return graph.node(
        "ConvTranspose",
        [value, weight, bias],
        (1, weight.shape[1], length, *value.shape[3:]),
        kernel_shape=weight.shape[2:],
        strides=[config.stride, *[1] * (rank - 1)],
        pads=[crop, *still, surplus - crop, *still],
    )


def _interleaved_convolution(
    graph: GraphBuilder, value: Value, weight: Value, bias: Value, stride: int, length: int
) -> Value:
    """[1, C', length] from [1, C, L]: the transposed convolution whose kernel is two strides, cropped by half a stride.

    Of every `stride` outputs the first half comes from an input and the one before it, the other half from it and the
    one after it. So one convolution of three taps yields them as channels, which are then put in a row. OpenVINO has no
    fast kernel for transposed convolutions of waveforms in bf16: they take an eighth of its time, this a sixth of that.
    """
    channels, outputs, _ = weight.shape
    half, steps = stride // 2, value.shape[2]
    quarters = [graph.transpose(part, [2, 1, 0]) for part in graph.split(weight, [half] * 4, axis=2)]
    first, second, third, fourth = (graph.reshape(part, (half * outputs, channels, 1)) for part in quarters)
    nothing = graph.multiply(first, graph.constant(0.0))
    taps = [graph.concat(three, axis=2) for three in ([fourth, second, nothing], [nothing, third, first])]
    biases = graph.concat([bias] * stride, axis=0)
    value = convolution(graph, value, graph.concat(taps, axis=0), biases)
    value = graph.reshape(graph.transpose(value, [0, 2, 1]), (1, stride * steps, outputs))
    value = graph.transpose(value, [0, 2, 1])
    surplus = stride * steps - length
    return graph.split(value, [length, surplus], axis=2)[0] if surplus else value
