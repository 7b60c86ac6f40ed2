//! RoFormers, band-split (Lu and others, 2023, arXiv:2309.02612) and mel-band (Wang and others, 2023, arXiv:2310.01809), as
//! Music-Source-Separation-Training publishes them.
//!
//! One network with different bands: [`configuration`] reads a topology from the YAML beside a checkpoint, and [`graph`]
//! makes its graph. Fine-tunes differ in depth, width, bands, stems and length of a chunk, so every model gets a graph of its
//! own when it is imported.

mod bands;
mod configuration;
mod graph;
mod transformer;

use std::ops::Range;

use crate::audio::{Hertz, StemName};
use crate::model::card::StftShape;
use crate::model::onnx::Shapes;

pub(crate) use configuration::is_roformer;
pub(crate) use graph::build_graph;

/// What determines the graph of a network, and what it is used with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RoformerTopology {
    /// The stems, in the order of the mask estimators.
    pub(crate) stems: Vec<StemName>,
    pub(crate) sample_rate: Hertz,
    pub(crate) stft: StftShape,
    /// Frames of a segment.
    pub(crate) chunk: usize,
    /// The bins of each band: all bins one after the other, or bands of which at most two overlap in each bin.
    bands: Vec<Range<usize>>,
    /// Values of a token.
    dim: usize,
    /// Pairs of a transformer along time and one along frequency.
    depth: usize,
    /// Layers of each transformer: along time, along frequency.
    transformer_depths: [usize; 2],
    heads: usize,
    dim_head: usize,
    /// Hidden values of a token: in the feed-forward layers, and in the mask estimators.
    hidden: [usize; 2],
    /// Linear layers of a mask estimator.
    mask_layers: usize,
    /// Whether each transformer ends with a norm, and whether the last one is followed by one.
    norms: [bool; 2],
    /// Whether the lowest bin of every stem is silent.
    zero_dc: bool,
}

impl RoformerTopology {
    /// Takes the number of linear layers in the mask estimators from the tensors of a file, if it has any: the same
    /// configuration names different numbers in different versions of the trainer.
    pub(crate) fn fit_masks(&mut self, tensors: &Shapes) {
        let has = |layer: &usize| {
            tensors.contains_key(&format!("mask_estimators.0.to_freqs.0.0.{}.weight", 2 * layer))
        };
        let layers = (0..=configuration::MOST_MASK_LAYERS).take_while(has).count();
        if (1..=configuration::MOST_MASK_LAYERS).contains(&layers) {
            self.mask_layers = layers;
        }
    }

    /// Bins of the spectrum, that at half the sample rate included.
    fn bins(&self) -> usize {
        self.stft.size / 2 + 1
    }

    /// Columns of a segment.
    fn columns(&self) -> usize {
        self.chunk / self.stft.hop + 1
    }
}

#[cfg(test)]
mod tests;
