"""The transformer between the branches, on tokens [L, C]: one a bin and column of the spectrum, one a waveform step.

The reference orders the spectrum's tokens by column, then bin; here they lie bin by bin, as in the spectrum. Neither
attention nor any norm depends on the order, and the position is added to the token that has it.
"""
from __future__ import annotations

import math

import numpy as np

from .builder import GraphBuilder, Value
from .config import Config
from .layers import EPSILON, normalised, weight_and_bias

# Queries whose scores are held at once: all of htdemucs' 2688 would make 231 MB a layer, which the allocator keeps.
QUERIES = 448


def transformer(graph: GraphBuilder, spectrum: Value, wave: Value, config: Config) -> tuple[Value, Value]:
    """Both branches informed by each other; shapes stay [1, C, F', N] and [1, C, T']."""
    channels = spectrum.shape[1]
    if channels % 4 or channels % config.t_heads:
        raise ValueError(f"t_heads={config.t_heads}: {channels} channels divide neither into these nor into four parts")
    name = "crosstransformer"
    with graph.scope(f"{name}.embedding"):
        bins, columns = spectrum.shape[2:]
        positions = _spectrum_positions(graph, channels, bins, columns, config)
        frequency = _tokens(graph, spectrum, f"{name}.norm_in", positions, config)
        positions = _wave_positions(graph, channels, wave.shape[2], config)
        time = _tokens(graph, wave, f"{name}.norm_in_t", positions, config)
    for index in range(config.t_layers):
        crossed = index % 2 == (0 if config.t_cross_first else 1)
        ends = []
        for branch, own, other in [("layers", frequency, time), ("layers_t", time, frequency)]:
            layer = f"{name}.{branch}.{index}"
            with graph.scope(layer):
                ends.append(_layer(graph, own, other if crossed else None, layer, config))
        frequency, time = ends
    with graph.scope(name):
        frequency, time = graph.transpose(frequency, [1, 0]), graph.transpose(time, [1, 0])
        return graph.reshape(frequency, spectrum.shape), graph.reshape(time, wave.shape)


def _tokens(graph: GraphBuilder, value: Value, norm: str, positions: Value, config: Config) -> Value:
    """[L, C]: normalised tokens plus where they are."""
    channels = value.shape[1]
    flat = graph.reshape(value, (channels, math.prod(value.shape[2:])))
    tokens = _layer_norm(graph, graph.transpose(flat, [1, 0]), norm)
    if config.t_weight_pos_embed != 1:
        positions = graph.multiply(positions, graph.constant(config.t_weight_pos_embed))
    return graph.add(tokens, positions)


def _layer(graph: GraphBuilder, value: Value, other: Value | None, name: str, config: Config) -> Value:
    """Attention to itself, or to the other branch where one is given, then the feed-forward part. [L, C]."""
    attended, keys = _layer_norm(graph, value, f"{name}.norm1"), None
    if other is not None:
        keys = _layer_norm(graph, other, f"{name}.norm2")
    attention = f"{name}.{'self_attn' if other is None else 'cross_attn'}"
    attended = _attention(graph, attended, keys, attention, config.t_heads)
    value = graph.add(value, graph.multiply(attended, graph.parameter(f"{name}.gamma_1.scale")))
    inner = _layer_norm(graph, value, f"{name}.{'norm2' if other is None else 'norm3'}")
    inner = graph.unary("Gelu", _linear(graph, inner, f"{name}.linear1"))
    inner = graph.multiply(_linear(graph, inner, f"{name}.linear2"), graph.parameter(f"{name}.gamma_2.scale"))
    # A group norm of one group, over all tokens and channels together.
    return normalised(graph, graph.add(value, inner), [0, 1], *weight_and_bias(graph, f"{name}.norm_out"))


def _attention(graph: GraphBuilder, value: Value, keys: Value | None, name: str, heads: int) -> Value:
    """Scaled dot-product attention of `value` to `keys`, or to itself. [L, C]."""
    length, channels = value.shape
    weight, bias = graph.parameter(f"{name}.in_proj_weight"), graph.parameter(f"{name}.in_proj_bias")
    if keys is None:
        together = graph.linear(value, weight, bias)
        query, key, content = graph.split(together, [channels] * 3, axis=1)
    else:
        # The projection of queries reads one tensor and that of keys and contents another.
        sizes = [channels, 2 * channels]
        (weight, weights), (bias, biases) = graph.split(weight, sizes, axis=0), graph.split(bias, sizes, axis=0)
        query = graph.linear(value, weight, bias)
        key, content = graph.split(graph.linear(keys, weights, biases), [channels] * 2, axis=1)
    width = channels // heads

    def by_head(rows: Value, order: list[int]) -> Value:
        return graph.transpose(graph.reshape(rows, (rows.shape[0], heads, width)), order)

    query = by_head(graph.multiply(query, graph.constant(width**-0.5)), [1, 0, 2])
    key, content = by_head(key, [1, 2, 0]), by_head(content, [1, 0, 2])
    parts = -(-length // QUERIES)
    sizes = [length // parts + (index < length % parts) for index in range(parts)]
    rows = []
    for part in graph.split(query, sizes, axis=1) if parts > 1 else [query]:
        weights = graph.unary("Softmax", graph.matmul(part, key), axis=-1)
        rows.append(graph.matmul(weights, content))
    mixed = graph.concat(rows, axis=1) if parts > 1 else rows[0]
    mixed = graph.reshape(graph.transpose(mixed, [1, 0, 2]), (length, channels))
    return _linear(graph, mixed, f"{name}.out_proj")


def _linear(graph: GraphBuilder, value: Value, name: str) -> Value:
    return graph.linear(value, *weight_and_bias(graph, name))


def _layer_norm(graph: GraphBuilder, value: Value, name: str) -> Value:
    inputs = [value, *weight_and_bias(graph, name)]
    return graph.node("LayerNormalization", inputs, value.shape, axis=-1, epsilon=EPSILON)


def _spectrum_positions(graph: GraphBuilder, channels: int, bins: int, columns: int, config: Config) -> Value:
    """[bins * columns, C]: column in the first half of the channels, bin in the second; sines and cosines in turn."""
    half = channels // 2
    powers = np.arange(0, half, 2, dtype=np.float32) * np.float32(-math.log(config.t_max_period) / half)
    speeds = graph.constant(np.exp(powers.astype(np.float64)))
    parts = []
    for length, shape in [(columns, (1, columns, half)), (bins, (bins, 1, half))]:
        phase = graph.multiply(_range(graph, length), speeds)
        turns = [graph.reshape(graph.unary(kind, phase), (*phase.shape, 1)) for kind in ("Sin", "Cos")]
        table = graph.reshape(graph.concat(turns, axis=2), shape)
        whole = (bins, columns, half)
        parts.append(graph.node("Expand", [table, graph.constant(whole, "int64")], whole))
    return graph.reshape(graph.concat(parts, axis=2), (bins * columns, channels))


def _wave_positions(graph: GraphBuilder, channels: int, length: int, config: Config) -> Value:
    """[length, C]: cosines in the first half of the channels, sines in the second."""
    half = channels // 2
    powers = np.arange(half, dtype=np.float32) / np.float32(half - 1)
    periods = graph.constant(np.float64(config.t_max_period) ** powers)
    phase = graph.divide(_range(graph, length), periods)
    return graph.concat([graph.unary("Cos", phase), graph.unary("Sin", phase)], axis=1)


def _range(graph: GraphBuilder, length: int) -> Value:
    """[length, 1]: 0, 1, 2 ... The runtime computes the tables at load; stored, htdemucs' would take 8 MB."""
    ends = [graph.constant(end) for end in (0.0, length, 1.0)]
    return graph.reshape(graph.node("Range", ends, (length,)), (length, 1))
