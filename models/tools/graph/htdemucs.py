"""HTDemucs between its transforms: the graph that joins the branches, with the mini model's masks if it has them."""
from __future__ import annotations

import math

import onnx

from . import masks
from .builder import GraphBuilder, Value
from .checkpoint import Checkpoint, metadata
from .config import Config
from .layers import EPSILON, convolution, decoder, encoder, total, weight_and_bias
from .transformer import transformer


def build_graph(checkpoint: Checkpoint) -> onnx.ModelProto:
    """The graph of one checkpoint, shapes fixed, weights to be given by name.

    Inputs `mix` [1, 2, T] and `mix_spectrogram` [1, 4, F, N] (left real, left imaginary, right real, right imaginary),
    outputs `stems` [1, S, 2, T] and `stem_spectrograms` [1, S, 4, F, N]. A stem is its waveform plus the inverse
    transform of its spectrogram.
    """
    kwargs = dict(checkpoint.kwargs)
    filters = kwargs.pop("mask_filters", None)  # of this project's Mini alone
    config = Config.parse(kwargs)
    graph = GraphBuilder(checkpoint.shapes)
    mix = graph.input("mix", (1, 2, config.frames))
    mix_spectrogram = graph.input("mix_spectrogram", (1, 4, config.bins, config.columns))
    with graph.scope("normalise_time"):
        wave, wave_mean, wave_deviation = _normalise(graph, mix)
    with graph.scope("normalise_frequency"):
        spectrum, mean, deviation = _normalise(graph, mix_spectrogram)
    mask = masks.masks(graph, spectrum, len(config.sources), len(filters)) if filters else None
    wave, spectrum = _network(graph, wave, spectrum, config)
    with graph.scope("denormalise_stems"):
        stems = _denormalise(graph, wave, mix, wave_mean, wave_deviation, config)
    with graph.scope("denormalise_stem_spectrograms"):
        stem_spectrograms = _denormalise(graph, spectrum, mix_spectrogram, mean, deviation, config)
    if mask:
        with graph.scope("masked"):
            masked = masks.apply(graph, mask, mix_spectrogram)
            stems, stem_spectrograms = _blend(graph, stems, stem_spectrograms, masked)
    graph.output(stems, "stems")
    graph.output(stem_spectrograms, "stem_spectrograms")
    return graph.model("htdemucs", {"family": "htdemucs", "kwargs": metadata(checkpoint.kwargs)["kwargs"]})


def _blend(graph: GraphBuilder, stems: Value, spectrograms: Value, masked: Value) -> tuple[Value, Value]:
    """HTDemucs' own [1, S, 2, T] and [1, S, 4, F, N] beside the masked spectra, by the share of each stem."""
    share = graph.parameter("mask_share")
    rest = graph.subtract(graph.constant(1.0), share)

    def weighted(weight: Value, value: Value) -> Value:
        return graph.multiply(value, graph.reshape(weight, (1, *weight.shape, *[1] * (len(value.shape) - 2))))

    both = graph.add(weighted(rest, spectrograms), weighted(share, masked))
    return weighted(rest, stems), both


def _network(graph: GraphBuilder, wave: Value, spectrum: Value, config: Config) -> tuple[Value, Value]:
    """[1, 2 S, T] and [1, 4 S, F, N] from both inputs, normalised."""
    skips: list[tuple[Value, Value]] = []
    lengths: list[tuple[int, int]] = []
    for index in range(config.depth):
        lengths.append((wave.shape[2], spectrum.shape[2]))
        with graph.scope(f"tencoder.{index}"):
            wave = encoder(graph, wave, f"tencoder.{index}", config)
        with graph.scope(f"encoder.{index}"):
            spectrum = encoder(graph, spectrum, f"encoder.{index}", config)
        if index == 0 and config.freq_emb:
            with graph.scope("freq_emb"):
                spectrum = _embed_frequency(graph, spectrum, config)
        skips.append((wave, spectrum))
    if config.t_layers > 0:
        wave, spectrum = _widened_transformer(graph, wave, spectrum, config)
    for index in range(config.depth):
        (wave_skip, skip), (wave_length, bins) = skips.pop(), lengths.pop()
        last = index == config.depth - 1
        with graph.scope(f"decoder.{index}"):
            spectrum = decoder(graph, spectrum, skip, f"decoder.{index}", config, bins, last)
        with graph.scope(f"tdecoder.{index}"):
            wave = decoder(graph, wave, wave_skip, f"tdecoder.{index}", config, wave_length, last)
    return wave, spectrum


def _widened_transformer(graph: GraphBuilder, wave: Value, spectrum: Value, config: Config) -> tuple[Value, Value]:
    """The transformer, between 1x1 convolutions to and from `bottom_channels` if it has its own width."""

    def resample(way: str, wave: Value, spectrum: Value) -> tuple[Value, Value]:
        if not config.bottom_channels:
            return wave, spectrum
        with graph.scope(f"channel_{way}"):
            return (
                convolution(graph, wave, *weight_and_bias(graph, f"channel_{way}_t")),
                convolution(graph, spectrum, *weight_and_bias(graph, f"channel_{way}")),
            )

    wave, spectrum = resample("upsampler", wave, spectrum)
    spectrum, wave = transformer(graph, spectrum, wave, config)
    return resample("downsampler", wave, spectrum)


def _embed_frequency(graph: GraphBuilder, spectrum: Value, config: Config) -> Value:
    """Adds to every bin what the model has learned of its height; the table is [F', C]."""
    table = graph.parameter("freq_emb.embedding.weight")
    table = graph.multiply(table, graph.constant(config.emb_scale * config.freq_emb))
    table = graph.transpose(table, [1, 0])
    return graph.add(spectrum, graph.reshape(table, (*table.shape, 1)))


def _normalise(graph: GraphBuilder, value: Value) -> tuple[Value, Value, Value]:
    """The value with mean 0 and deviation 1, and its mean and deviation, each of shape [1, 1, ...]."""
    size = math.prod(value.shape)
    mean = graph.divide(_precise_total(graph, "ReduceSum", value), graph.constant(size))
    centred = graph.subtract(value, mean)
    squares = _precise_total(graph, "ReduceSumSquare", centred)
    deviation = graph.unary("Sqrt", graph.divide(squares, graph.constant(size - 1)))
    return graph.divide(centred, graph.add(deviation, graph.constant(EPSILON))), mean, deviation


def _precise_total(graph: GraphBuilder, kind: str, value: Value) -> Value:
    """[1, 1, ...]: the sum over everything. A waveform's is folded into rows first, so that no sum is long."""
    ones = [1] * len(value.shape)
    if len(value.shape) == 3:
        length = value.shape[2]
        row = next(size for size in range(math.isqrt(length), 0, -1) if length % size == 0)
        value = graph.reshape(value, (2, length // row, row))
        return graph.reshape(total(graph, kind, value, [0, 1, 2]), ones)
    return total(graph, kind, value, [1, 2, 3])


def _denormalise(
    graph: GraphBuilder, value: Value, like: Value, mean: Value, deviation: Value, config: Config
) -> Value:
    """[1, S, *like] from [1, S * channels, ...], at the level of the mix."""
    value = graph.reshape(value, (1, len(config.sources), *like.shape[1:]))
    ones = [1] * len(value.shape)
    return graph.add(graph.multiply(value, graph.reshape(deviation, ones)), graph.reshape(mean, ones))
