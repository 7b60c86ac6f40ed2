//! The graph of a network.
//!
//! Between the bands and the masks it works on tokens [B, N, dim] of B bands and N columns along time, and on [N, B, dim]
//! along frequency.

use super::RoformerTopology;
use super::transformer::{linear, normalised, transformer};
use crate::audio::Stereo;
use crate::model::onnx::builder::{Attribute, GraphBuilder, GraphValue};

/// Values of a bin: real and imaginary part of both channels.
const PARTS: usize = 2 * Stereo::CHANNELS;

/// The graph of a network, without weights: input `mix_spectrogram` [1, 4, F, N], output `stem_spectrograms` [1, S, 4, F, N].
/// Channels: left real, left imaginary, right real, right imaginary.
pub(crate) fn build_graph(topology: &RoformerTopology) -> Vec<u8> {
    let mut builder = GraphBuilder::default();
    let graph = &mut builder;
    let (bins, columns) = (topology.bins(), topology.columns());
    let mix = graph.input("mix_spectrogram", &[1, PARTS, bins, columns]);
    let mix = graph.reshape(&mix, &[PARTS, bins, columns]);
    let mut tokens = band_split(graph, topology, &mix);
    for index in 0..topology.depth {
        let [time, frequency] = [0, 1].map(|axis| format!("layers.{index}.{axis}"));
        let [time_depth, frequency_depth] = topology.transformer_depths;
        tokens = transformer(graph, topology, &tokens, &time, time_depth);
        tokens = graph.transpose(&tokens, &[1, 0, 2]);
        tokens = transformer(graph, topology, &tokens, &frequency, frequency_depth);
        tokens = graph.transpose(&tokens, &[1, 0, 2]);
    }
    let bands: Vec<GraphValue> = graph
        .split(&tokens, &vec![1; topology.bands.len()], 0)
        .iter()
        .map(|band| {
            let rows = graph.reshape(band, &[columns, topology.dim]);
            if topology.norms[1] { normalised(graph, &rows, "final_norm.gamma") } else { rows }
        })
        .collect();
    let stems: Vec<GraphValue> = (0..topology.stems.len())
        .map(|stem| {
            let mask = mask(graph, topology, &bands, stem);
            masked(graph, &mix, &mask)
        })
        .collect();
    let stems = graph.concat(&stems, 0);
    let stems = graph.reshape(&stems, &[1, topology.stems.len(), PARTS, bins, columns]);
    graph.output(&stems, "stem_spectrograms");
    builder.finish("roformer", &[("family", "roformer".to_owned())])
}

/// A token [B, N, dim] for each band and column of the spectrum [4, F, N].
fn band_split(
    graph: &mut GraphBuilder,
    topology: &RoformerTopology,
    mix: &GraphValue,
) -> GraphValue {
    let columns = topology.columns();
    let turned = graph.transpose(mix, &[2, 1, 0]);
    let turned = graph.reshape(&turned, &[columns, PARTS * topology.bins()]);
    let tokens: Vec<GraphValue> = topology
        .bands
        .iter()
        .enumerate()
        .map(|(index, band)| {
            let name = format!("band_split.to_features.{index}");
            let rows = graph.slice(&turned, 1, PARTS * band.start, PARTS * band.end);
            let rows = normalised(graph, &rows, &format!("{name}.0.gamma"));
            let rows = linear(graph, &rows, &format!("{name}.1"), topology.dim);
            graph.reshape(&rows, &[1, columns, topology.dim])
        })
        .collect();
    graph.concat(&tokens, 0)
}

/// The mask [4, F, N] of a stem from the tokens [N, dim] of each band: in bins of two bands, the mean of theirs.
fn mask(
    graph: &mut GraphBuilder,
    topology: &RoformerTopology,
    bands: &[GraphValue],
    stem: usize,
) -> GraphValue {
    let (bins, columns) = (topology.bins(), topology.columns());
    let masks: Vec<GraphValue> = bands
        .iter()
        .zip(&topology.bands)
        .enumerate()
        .map(|(index, (rows, band))| {
            let name = format!("mask_estimators.{stem}.to_freqs.{index}.0");
            let (mut rows, values) = (rows.clone(), PARTS * band.len());
            for layer in 0..topology.mask_layers {
                let is_last = layer + 1 == topology.mask_layers;
                let outputs = if is_last { 2 * values } else { topology.hidden[1] };
                rows = linear(graph, &rows, &format!("{name}.{}", 2 * layer), outputs);
                rows = if is_last { rows } else { graph.unary("Tanh", &rows) };
            }
            let halves = graph.split(&rows, &[values; 2], 1);
            let gates = graph.unary("Sigmoid", &halves[1]);
            let mask = graph.binary("Mul", &halves[0], &gates);
            graph.reshape(&mask, &[columns, band.len(), PARTS])
        })
        .collect();
    let masks = graph.concat(&masks, 1);
    let mut mask = averaged(graph, topology, &masks);
    if topology.zero_dc {
        let audible: Vec<f32> = (0..bins).map(|bin| if bin == 0 { 0.0 } else { 1.0 }).collect();
        let audible = graph.floats(&audible, &[1, bins, 1]);
        mask = graph.binary("Mul", &mask, &audible);
    }
    graph.transpose(&mask, &[2, 1, 0])
}

/// [N, F, 4] from the masks [N, bins of all bands, 4].
fn averaged(
    graph: &mut GraphBuilder,
    topology: &RoformerTopology,
    masks: &GraphValue,
) -> GraphValue {
    let (bins, columns) = (topology.bins(), topology.columns());
    if masks.shape[1] == bins {
        return masks.clone();
    }
    let mut places = vec![Vec::new(); bins];
    for (place, bin) in topology.bands.iter().cloned().flatten().enumerate() {
        places[bin].push(place);
    }
    // The only mask of a bin is taken twice: half of the sum is the mask itself.
    let choices = [0, 1].map(|which| -> Vec<usize> {
        places
            .iter()
            .map(|places| places.get(which).or(places.first()).copied().unwrap_or(0))
            .collect()
    });
    let [first, second] = choices.map(|choice| {
        let choice = graph.whole(&choice, &[bins]);
        let axis = [("axis", Attribute::Int(1))];
        graph.node("Gather", &[masks, &choice], &axis, &[columns, bins, PARTS])
    });
    let sum = graph.binary("Add", &first, &second);
    let half = graph.floats(&[0.5], &[1]);
    graph.binary("Mul", &sum, &half)
}

/// The product [1, 4, F, N] of two complex spectra [4, F, N].
fn masked(graph: &mut GraphBuilder, mix: &GraphValue, mask: &GraphValue) -> GraphValue {
    let shape = [Stereo::CHANNELS, 2, mix.shape[1], mix.shape[2]];
    let [mix, mask] = [mix, mask].map(|value| {
        let value = graph.reshape(value, &shape);
        graph.split(&value, &[1, 1], 1)
    });
    let mut product = |left: usize, right: usize| graph.binary("Mul", &mix[left], &mask[right]);
    let [real, mirrored, left, right] =
        [product(0, 0), product(1, 1), product(0, 1), product(1, 0)];
    let real = graph.binary("Sub", &real, &mirrored);
    let imaginary = graph.binary("Add", &left, &right);
    let both = graph.concat(&[real, imaginary], 1);
    graph.reshape(&both, &[1, PARTS, shape[2], shape[3]])
}
