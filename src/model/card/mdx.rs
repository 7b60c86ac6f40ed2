//! What an MDX-Net needs beside its graph.

use serde::{Deserialize, Serialize};

use super::{ModelCard, StftShape};

/// Parameters of an MDX-Net, as UVR's list of models has them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MdxParameters {
    /// Factor of the network's stem in the other one, which is the mixture minus that.
    pub compensation: f32,
    /// Whether the network runs a second time, on the negated spectrum: half the cost in noise, twice that in time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub denoise: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl MdxParameters {
    /// Samples between two columns, in all published models.
    pub const HOP: usize = 1024;

    /// The range of `compensation`; published are 1.0 to 1.1.
    pub const COMPENSATIONS: std::ops::RangeInclusive<f32> = 0.5..=2.0;
}

impl ModelCard {
    /// Checks what only an MDX-Net has.
    pub(super) fn mdx_fault(&self) -> Option<String> {
        let (Some(StftShape { size, hop }), Some(mdx)) = (self.stft, self.mdx) else {
            return Some("mdx needs [stft] and [mdx]".into());
        };
        if !self.weights.is_empty() || !self.residual_shares.is_empty() {
            return Some("a graph of family mdx holds its own weights, without shares".into());
        }
        if size % 2 != 0 || !(16..=65_536).contains(&size) || !(1..=size / 2).contains(&hop) {
            return Some(
                "stft.size must be even, 16 to 65536, and stft.hop at most half of it".into(),
            );
        }
        if !self.segment.as_len().is_multiple_of(hop) || self.segment.as_len() <= size {
            return Some(format!(
                "a segment of {} frames is not whole hops, more than stft.size",
                self.segment
            ));
        }
        if !MdxParameters::COMPENSATIONS.contains(&mdx.compensation) {
            return Some(format!("compensation {} is not 0.5 to 2", mdx.compensation));
        }
        (self.stems.len() != 2).then(|| "mdx has two stems: the network's, and the rest".into())
    }
}
