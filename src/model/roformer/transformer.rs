//! Transformers along time or frequency.
//!
//! They run on a part of their batch at a time: the hidden values of all tokens at once would take gigabytes.

use super::RoformerTopology;
use crate::model::onnx::builder::{Attribute, GraphBuilder, GraphValue};

/// Tokens that a part has at most, unless one element of the batch has more. At this size the products are as fast as over
/// all tokens, and the hidden values take some 50 MB; twice as many tokens took 0.4 GB more.
const TOKENS_OF_PART: usize = 4096;

/// A transformer of `depth` layers over each row of tokens: [batch, tokens, dim] from the same.
pub(super) fn transformer(
    graph: &mut GraphBuilder,
    topology: &RoformerTopology,
    value: &GraphValue,
    name: &str,
    depth: usize,
) -> GraphValue {
    let [batch, tokens] = [value.shape[0], value.shape[1]];
    let parts = graph.split(value, &parts(batch, tokens), 0);
    let outputs: Vec<GraphValue> = parts
        .iter()
        .map(|part| {
            let mut rows = graph.reshape(part, &[part.shape[0] * tokens, topology.dim]);
            for layer in 0..depth {
                let name = format!("{name}.layers.{layer}");
                rows = attention(graph, topology, &rows, &format!("{name}.0"), tokens);
                rows = feed_forward(graph, topology, &rows, &format!("{name}.1"));
            }
            if topology.norms[0] {
                rows = normalised(graph, &rows, &format!("{name}.norm.gamma"));
            }
            graph.reshape(&rows, &part.shape)
        })
        .collect();
    graph.concat(&outputs, 0)
}

/// The sizes of the parts of a batch, as equal as possible.
fn parts(batch: usize, tokens: usize) -> Vec<usize> {
    let count = (batch * tokens).div_ceil(TOKENS_OF_PART).clamp(1, batch);
    (0..count).map(|index| (index + 1) * batch / count - index * batch / count).collect()
}

/// [rows, size] with the mean square 1, times a parameter.
pub(super) fn normalised(graph: &mut GraphBuilder, rows: &GraphValue, gamma: &str) -> GraphValue {
    let size = rows.shape[1];
    let gamma = graph.parameter(gamma, &[size]);
    // The reference divides by a norm of at least 1e-12.
    let epsilon = Attribute::Float(1e-24 / size as f32);
    let attributes = [("axis", Attribute::Int(1)), ("epsilon", epsilon)];
    graph.node("SimplifiedLayerNormalization", &[rows, &gamma], &attributes, &rows.shape)
}

/// A linear layer with a bias.
pub(super) fn linear(
    graph: &mut GraphBuilder,
    rows: &GraphValue,
    name: &str,
    outputs: usize,
) -> GraphValue {
    let weight = graph.parameter(&format!("{name}.weight"), &[outputs, rows.shape[1]]);
    let bias = graph.parameter(&format!("{name}.bias"), &[outputs]);
    graph.linear(rows, &weight, Some(&bias))
}

fn without_bias(
    graph: &mut GraphBuilder,
    rows: &GraphValue,
    name: &str,
    outputs: usize,
) -> GraphValue {
    let weight = graph.parameter(&format!("{name}.weight"), &[outputs, rows.shape[1]]);
    graph.linear(rows, &weight, None)
}

/// The rows plus what they see of those of the same element of the batch.
fn attention(
    graph: &mut GraphBuilder,
    topology: &RoformerTopology,
    rows: &GraphValue,
    name: &str,
    tokens: usize,
) -> GraphValue {
    let (heads, size) = (topology.heads, topology.dim_head);
    let (count, width) = (rows.shape[0], heads * size);
    let shape = [count / tokens, tokens, width];
    let inner = normalised(graph, rows, &format!("{name}.norm.gamma"));
    let all = without_bias(graph, &inner, &format!("{name}.to_qkv"), 3 * width);
    let angles = rotation(graph, name, tokens, size);
    let mut inputs = Vec::new();
    for (index, part) in graph.split(&all, &[width; 3], 1).iter().enumerate() {
        let part = graph.reshape(part, &shape);
        inputs.push(if index < 2 { rotated(graph, &part, &angles, heads) } else { part });
    }
    let inputs: Vec<&GraphValue> = inputs.iter().collect();
    let attributes = [("num_heads", Attribute::Int(heads))];
    let seen = graph.contributed("MultiHeadAttention", &inputs, &attributes, &shape);
    let gates = linear(graph, &inner, &format!("{name}.to_gates"), heads);
    let gates = graph.unary("Sigmoid", &gates);
    let gates = graph.reshape(&gates, &[count, heads, 1]);
    let seen = graph.reshape(&seen, &[count, heads, size]);
    let seen = graph.binary("Mul", &seen, &gates);
    let seen = graph.reshape(&seen, &[count, width]);
    let seen = without_bias(graph, &seen, &format!("{name}.to_out.0"), topology.dim);
    graph.binary("Add", &seen, rows)
}

/// Cosine and sine [tokens, size / 2] of the angles by which pairs of values are rotated.
fn rotation(graph: &mut GraphBuilder, name: &str, tokens: usize, size: usize) -> [GraphValue; 2] {
    let frequencies = graph.parameter(&format!("{name}.rotary_embed.freqs"), &[size / 2]);
    let frequencies = graph.reshape(&frequencies, &[1, size / 2]);
    let places: Vec<f32> = (0..tokens).map(|place| place as f32).collect();
    let places = graph.floats(&places, &[tokens, 1]);
    let angles = graph.node("Mul", &[&places, &frequencies], &[], &[tokens, size / 2]);
    ["Cos", "Sin"].map(|kind| graph.unary(kind, &angles))
}

/// [batch, tokens, width] with neighbouring values rotated by the place of their token.
fn rotated(
    graph: &mut GraphBuilder,
    value: &GraphValue,
    [cosine, sine]: &[GraphValue; 2],
    heads: usize,
) -> GraphValue {
    let first = graph.whole(&[0], &[1]);
    let attributes = [("interleaved", Attribute::Int(1)), ("num_heads", Attribute::Int(heads))];
    graph.contributed("RotaryEmbedding", &[value, &first, cosine, sine], &attributes, &value.shape)
}

fn feed_forward(
    graph: &mut GraphBuilder,
    topology: &RoformerTopology,
    rows: &GraphValue,
    name: &str,
) -> GraphValue {
    let inner = normalised(graph, rows, &format!("{name}.net.0.gamma"));
    let inner = linear(graph, &inner, &format!("{name}.net.1"), topology.hidden[0]);
    let inner = graph.unary("Gelu", &inner);
    let inner = linear(graph, &inner, &format!("{name}.net.4"), topology.dim);
    graph.binary("Add", &inner, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_a_batch_in_nearly_equal_shares() {
        assert_eq!(parts(60, 801), [5; 12]);
        assert_eq!(parts(62, 801), [4, 5, 5, 5, 4, 5, 5, 5, 4, 5, 5, 5, 5]);
        assert_eq!(parts(801, 60).iter().sum::<usize>(), 801);
        assert_eq!(parts(3, 100_000), [1, 1, 1]);
        assert_eq!(parts(3, 10), [3]);
    }
}
