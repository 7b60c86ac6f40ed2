"""SCNet (Tong and others, 2024, arXiv:2401.13276) as Music-Source-Separation-Training publishes it, under the names of its
checkpoints.

Encoder and decoder work on [1, C, F, N], the dual path between them on [F, N, C]: its recurrent layers read the rows of C
values as they lie, and its norms and projections need no transposes.
"""
from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import onnx

from .builder import GraphBuilder, Value
from .layers import convolution, gated_convolution, normalised, weight_and_bias

FUSION_KERNEL = 3
"""Of the convolutions over the whole spectrum: behind each encoder, and in the fusion layers."""


@dataclass(frozen=True)
class Topology:
    """The arguments of SCNet that shape the graph, with the defaults of its authors, and the length of a chunk."""

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    dims: tuple[int, ...] = (4, 32, 64, 128)
    """Channels: of the input, then of each encoder's output."""
    nfft: int = 4096
    hop_size: int = 1024
    band_SR: tuple[float, ...] = (0.175, 0.392, 0.433)
    """Share of the bins in each band."""
    band_stride: tuple[int, ...] = (1, 4, 16)
    band_kernel: tuple[int, ...] = (3, 4, 16)
    conv_depths: tuple[int, ...] = (3, 2, 1)
    compress: int = 4
    conv_kernel: int = 3
    num_dplayer: int = 6
    expand: int = 1
    chunk: int = 485_100
    """Frames of a segment."""

    @property
    def bins(self) -> int:
        """F: all bins, the one at half the sample rate included."""
        return self.nfft // 2 + 1

    @property
    def columns(self) -> int:
        """N: columns of a segment that is filled up to whole hops, one more hop where their number would be odd."""
        hops = self.chunk // self.hop_size + 1
        return hops + 1 + (hops + 1) % 2


class Level(NamedTuple):
    """What the decoder of a level needs of its encoder."""

    skip: Value
    bands: list[int]
    """Bins of each band in front of the encoder."""
    lengths: list[int]
    """The same behind it."""


LARGE = (0.225, 0.372, 0.403)
PUBLISHED = {
    "scnet": Topology(),
    "scnet-large": Topology(dims=(4, 64, 128, 256), band_SR=LARGE),
    # More layers, and narrower steps over the upper bands ("improved high frequencies").
    "scnet-xl-ihf": Topology(
        dims=(4, 64, 128, 256),
        band_SR=(0.23, 0.37, 0.4),
        band_stride=(1, 4, 4),
        band_kernel=(3, 4, 4),
        conv_depths=(3, 3, 3),
        num_dplayer=8,
    ),
}


def build_graph(topology: Topology) -> onnx.ModelProto:
    """Input `mix_spectrogram` [1, 4, F, N], output `stem_spectrograms` [1, S, 4, F, N]. Channels: left real, left
    imaginary, right real, right imaginary."""
    graph = GraphBuilder(shapes(topology))
    value = graph.input("mix_spectrogram", (1, topology.dims[0], topology.bins, topology.columns))
    levels = []
    for index in range(len(topology.dims) - 1):
        with graph.scope(f"encoder.{index}"):
            value, level = _encoder(graph, value, f"encoder.{index}", topology)
            levels.append(level)
    with graph.scope("separation_net"):
        value = _separation_net(graph, value, topology)
    for index, level in enumerate(reversed(levels)):
        with graph.scope(f"decoder.{index}"):
            value = _decoder(graph, value, level, f"decoder.{index}", topology)
    shape = (1, len(topology.sources), topology.dims[0], topology.bins, topology.columns)
    graph.output(graph.reshape(value, shape), "stem_spectrograms")
    return graph.model("scnet", {"family": "scnet", "arguments": json.dumps(asdict(topology))})


def shapes(topology: Topology) -> dict[str, tuple[int, ...]]:
    """Every tensor of a checkpoint."""
    return dict(_shapes(topology))


def _shapes(topology: Topology) -> Iterator[tuple[str, tuple[int, ...]]]:
    kernel, dims = (FUSION_KERNEL, FUSION_KERNEL), topology.dims
    for index, (inputs, outputs) in enumerate(itertools.pairwise(dims)):
        name, narrow = f"encoder.{index}", outputs // topology.compress
        for band, size in enumerate(topology.band_kernel):
            yield from _layer(f"{name}.SDlayer.convs.{band}", (outputs, inputs, size, 1), outputs)
        for band, depth in enumerate(topology.conv_depths):
            for step in range(depth):
                layer, size = f"{name}.conv_modules.{band}.layers.{step}", topology.conv_kernel
                yield from _layer(f"{layer}.0", (outputs,), outputs)
                yield from _layer(f"{layer}.1", (2 * narrow, outputs, size), 2 * narrow)
                yield from _layer(f"{layer}.3", (narrow, 1, size), narrow)
                yield from _layer(f"{layer}.4", (narrow,), narrow)
                yield from _layer(f"{layer}.6", (outputs, narrow, 1), outputs)
        yield from _layer(f"{name}.globalconv", (outputs, outputs, *kernel), outputs)
    for index, (outputs, inputs) in enumerate(reversed(list(itertools.pairwise(dims)))):
        name, last = f"decoder.{index}", index == len(dims) - 2
        outputs *= len(topology.sources) if last else 1
        yield from _layer(f"{name}.0.conv", (2 * inputs, 2 * inputs, *kernel), 2 * inputs)
        for band, size in enumerate(topology.band_kernel):
            yield from _layer(f"{name}.1.convtrs.{band}", (inputs, outputs, size, 1), outputs)
    for index in range(topology.num_dplayer):
        width = dims[-1] * (1 + index % 2)
        hidden = width * topology.expand
        for path in range(2):
            name = f"separation_net.dp_modules.{index}"
            for suffix in ("", "_reverse"):
                yield f"{name}.lstm_layers.{path}.weight_ih_l0{suffix}", (4 * hidden, width)
                yield f"{name}.lstm_layers.{path}.weight_hh_l0{suffix}", (4 * hidden, hidden)
                yield f"{name}.lstm_layers.{path}.bias_ih_l0{suffix}", (4 * hidden,)
                yield f"{name}.lstm_layers.{path}.bias_hh_l0{suffix}", (4 * hidden,)
            yield from _layer(f"{name}.linear_layers.{path}", (width, 2 * hidden), width)
            yield from _layer(f"{name}.norm_layers.{path}", (width,), width)


def _layer(name: str, weight: tuple[int, ...], outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", weight
    yield f"{name}.bias", (outputs,)


def _encoder(graph: GraphBuilder, value: Value, name: str, topology: Topology) -> tuple[Value, Level]:
    first, second = (math.ceil(value.shape[2] * sum(topology.band_SR[:end])) for end in (1, 2))
    bands = [first, second - first, value.shape[2] - second]
    outputs = []
    for index, band in enumerate(graph.split(value, bands, axis=2)):
        stride, kernel = topology.band_stride[index], topology.band_kernel[index]
        missing = kernel - stride if stride == 1 else -bands[index] % stride
        pads = (missing // 2, missing - missing // 2)
        weight, bias = weight_and_bias(graph, f"{name}.SDlayer.convs.{index}")
        band = convolution(graph, band, weight, bias, pads=pads, stride=stride)
        for step in range(topology.conv_depths[index]):
            band = _convolution_module(graph, band, f"{name}.conv_modules.{index}.layers.{step}")
        outputs.append(graph.unary("Gelu", band))
    skip = graph.concat(outputs, axis=2)
    level = Level(skip, bands, [band.shape[2] for band in outputs])
    return convolution(graph, skip, *weight_and_bias(graph, f"{name}.globalconv")), level


def _convolution_module(graph: GraphBuilder, value: Value, name: str) -> Value:
    """The residual branch on each bin: convolutions along time through few channels. Shape as `value`."""
    inner = _normalised_bins(graph, value, f"{name}.0")
    inner = gated_convolution(graph, inner, *_along_time(graph, f"{name}.1"))
    inner = convolution(graph, inner, *_along_time(graph, f"{name}.3"), groups=inner.shape[1])
    inner = _normalised_bins(graph, inner, f"{name}.4")
    inner = graph.multiply(inner, graph.unary("Sigmoid", inner))
    return graph.add(value, convolution(graph, inner, *_along_time(graph, f"{name}.6")))


def _along_time(graph: GraphBuilder, name: str) -> tuple[Value, Value]:
    weight, bias = weight_and_bias(graph, name)
    outputs, inputs, size = weight.shape
    return graph.reshape(weight, (outputs, inputs, 1, size)), bias


def _normalised_bins(graph: GraphBuilder, value: Value, name: str) -> Value:
    """Each bin of [1, C, F, N] with mean 0 and variance 1."""
    column = (value.shape[1], 1, 1)
    weight, bias = (graph.reshape(parameter, column) for parameter in weight_and_bias(graph, name))
    return normalised(graph, value, [1, 3], weight, bias)


def _separation_net(graph: GraphBuilder, value: Value, topology: Topology) -> Value:
    """[1, C, F, N] through the dual path, in which every other layer sees the spectrum along time instead of time."""
    _, channels, bins, columns = value.shape
    value = graph.transpose(graph.reshape(value, (channels, bins, columns)), [1, 2, 0])
    for index in range(topology.num_dplayer):
        name = f"separation_net.dp_modules.{index}"
        value = _along_frequency(graph, value, name)
        value = _along_columns(graph, value, name)
        value = _inverse_fourier(graph, value, columns) if index % 2 else _fourier(graph, value)
    if topology.num_dplayer % 2:
        raise ValueError(f"num_dplayer={topology.num_dplayer}: an odd number ends in the spectrum along time")
    return graph.reshape(graph.transpose(value, [2, 0, 1]), (1, channels, bins, columns))


def _along_frequency(graph: GraphBuilder, value: Value, name: str) -> Value:
    steps = _lstm(graph, _normalised_rows(graph, value, f"{name}.norm_layers.0"), f"{name}.lstm_layers.0")
    return graph.add(value, _projected(graph, graph.transpose(steps, [0, 2, 1, 3]), f"{name}.linear_layers.0"))


def _along_columns(graph: GraphBuilder, value: Value, name: str) -> Value:
    turned = graph.transpose(_normalised_rows(graph, value, f"{name}.norm_layers.1"), [1, 0, 2])
    steps = _lstm(graph, turned, f"{name}.lstm_layers.1")
    return graph.add(value, _projected(graph, graph.transpose(steps, [2, 0, 1, 3]), f"{name}.linear_layers.1"))


def _normalised_rows(graph: GraphBuilder, value: Value, name: str) -> Value:
    """[F, N, C] with mean 0 and variance 1 as a whole."""
    return normalised(graph, value, [0, 1, 2], *weight_and_bias(graph, name))


def _lstm(graph: GraphBuilder, value: Value, name: str) -> Value:
    """[steps, 2, batch, H] from [steps, batch, C], in both directions."""
    parts = []
    for kind in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        both = [_in_order(graph, graph.parameter(f"{name}.{kind}{suffix}")) for suffix in ("", "_reverse")]
        parts.append(graph.concat([graph.reshape(part, (1, *part.shape)) for part in both], axis=0))
    inputs, recurrent, *biases = parts
    bias, hidden = graph.concat(biases, axis=1), recurrent.shape[2]
    shape = (value.shape[0], 2, value.shape[1], hidden)
    return graph.node("LSTM", [value, inputs, recurrent, bias], shape, hidden_size=hidden, direction="bidirectional")


def _in_order(graph: GraphBuilder, gates: Value) -> Value:
    """PyTorch's input, forget, cell and output gates as ONNX has them: input, output, forget, cell."""
    i, f, c, o = graph.split(gates, [gates.shape[0] // 4] * 4, axis=0)
    return graph.concat([i, o, f, c], axis=0)


def _projected(graph: GraphBuilder, steps: Value, name: str) -> Value:
    """[F, N, C] from the two directions [F, N, 2, H]."""
    bins, columns, directions, hidden = steps.shape
    rows = graph.reshape(steps, (bins * columns, directions * hidden))
    rows = graph.linear(rows, *weight_and_bias(graph, name))
    return graph.reshape(rows, (bins, columns, rows.shape[1]))


def _fourier(graph: GraphBuilder, value: Value) -> Value:
    """[F, N / 2 + 1, 2 C] from [F, N, C]: the orthonormal transform along N, real parts in front of the imaginary ones.

    Products with constant matrices: several times faster here than the operator for it, and more exact.
    """
    cosine, sine = _waves(graph, value.shape[1])
    parts = [graph.multiply(part, graph.constant(value.shape[1] ** -0.5)) for part in (cosine, graph.unary("Neg", sine))]
    return graph.concat([_product(graph, part, value) for part in parts], axis=2)


def _inverse_fourier(graph: GraphBuilder, value: Value, columns: int) -> Value:
    """[F, N, C] from [F, N / 2 + 1, 2 C]; the imaginary parts of the first and the last bin have no effect."""
    real, imaginary = graph.split(value, [value.shape[2] // 2] * 2, axis=2)
    # All bins but these two stand for their mirror images, too.
    twice = [columns**-0.5 * (1 if index in (0, columns // 2) else 2) for index in range(columns // 2 + 1)]
    scale = graph.constant(twice)
    cosine, sine = (graph.multiply(graph.transpose(wave, [1, 0]), scale) for wave in _waves(graph, columns))
    return graph.subtract(_product(graph, cosine, real), _product(graph, sine, imaginary))


def _product(graph: GraphBuilder, matrix: Value, value: Value) -> Value:
    """[F, M, C] from a matrix [M, N] and a value [F, N, C]."""
    return graph.node("MatMul", [matrix, value], (value.shape[0], matrix.shape[0], value.shape[2]))


def _waves(graph: GraphBuilder, columns: int) -> tuple[Value, Value]:
    """Cosine and sine [N / 2 + 1, N] of 2 pi k n / N, looked up in one period: exact, and small in the file."""

    def counted(count: int, shape: tuple[int, int]) -> Value:
        limits = [graph.constant(limit, "int64") for limit in (0, count, 1)]
        return graph.reshape(graph.node("Range", limits, (count,)), shape)

    bins = columns // 2 + 1
    turns = graph.multiply(counted(bins, (bins, 1)), counted(columns, (1, columns)))
    turns = graph.node("Mod", [turns, graph.constant(columns, "int64")], turns.shape)
    angles = [2 * math.pi * index / columns for index in range(columns)]
    cosine, sine = (graph.constant([wave(angle) for angle in angles]) for wave in (math.cos, math.sin))
    return graph.node("Gather", [cosine, turns], turns.shape), graph.node("Gather", [sine, turns], turns.shape)


def _decoder(graph: GraphBuilder, value: Value, level: Level, name: str, topology: Topology) -> Value:
    value = _fusion(graph, graph.add(value, level.skip), f"{name}.0.conv")
    outputs = []
    for index, (band, length) in enumerate(zip(graph.split(value, level.lengths, axis=2), level.bands)):
        weight, bias = weight_and_bias(graph, f"{name}.1.convtrs.{index}")
        outputs.append(_transposed_convolution(graph, band, weight, bias, topology.band_stride[index], length))
    return graph.concat(outputs, axis=2)


def _fusion(graph: GraphBuilder, value: Value, name: str) -> Value:
    """A gated convolution of the value beside itself: both halves of the kernel see the same, so their sum does, too."""
    weight, bias = weight_and_bias(graph, name)
    halves = graph.split(weight, [weight.shape[1] // 2] * 2, axis=1)
    return gated_convolution(graph, value, graph.add(*halves), bias)


def _transposed_convolution(
    graph: GraphBuilder, value: Value, weight: Value, bias: Value, stride: int, length: int
) -> Value:
    """[1, C', length, N]: what exceeds the length is cut off on both sides, the larger half behind."""
    kernel = weight.shape[2]
    surplus = (value.shape[2] - 1) * stride + kernel - length
    pads = [surplus // 2, 0, surplus - surplus // 2, 0]
    shape = (1, weight.shape[1], length, value.shape[3])
    return graph.node(
        "ConvTranspose", [value, weight, bias], shape, kernel_shape=[kernel, 1], strides=[stride, 1], pads=pads
    )
