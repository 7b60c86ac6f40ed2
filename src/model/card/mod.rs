//! The card: the TOML that describes a model. Parsed and checked once, then trusted.

mod fault;
mod list;

use serde::{Deserialize, Serialize};

use super::{ModelName, Sha256Hash};
use crate::audio::{Frames, Hertz, StemName};
use crate::dsp::Segmentation;
use crate::dsp::segments::Blend;
use crate::engine::{EngineError, ProviderChoice};

/// A model, as its author describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The name that requests use.
    pub name: ModelName,
    /// The name for people.
    pub title: String,
    /// What kind of model it is, which decides what stands around the graph.
    pub family: Family,
    /// The stems in the order in which the model yields them.
    pub stems: Vec<StemName>,
    /// The rate that the model works at.
    pub sample_rate: Hertz,
    /// Frames that the model sees at once.
    pub segment: Frames,
    /// How much of a segment overlaps the next, 0 to 0.9; 0 where segments are summed.
    pub overlap: f64,
    /// What becomes of frames in several segments.
    #[serde(default)]
    pub blend: Blend,
    /// What each stem gets of what all of them leave of the mixture, in the stems' order, 1 in all; empty
    /// where that stays left over, as in the reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual_shares: Vec<f32>,
    /// What computes it where the command line leaves that open: `auto`, or the one provider that its author
    /// knows to be right for it.
    #[serde(default, skip_serializing_if = "is_auto")]
    pub provider: ProviderChoice,
    /// The licence of the weights, for people.
    pub licence: String,
    /// The spectrum that the graph takes or yields; left out where it knows waveforms only.
    pub stft: Option<StftShape>,
    /// The ONNX graph.
    pub graph: FileReference,
    /// What fills the graph's initialisers: one file; in a bag one for each stem; none where the graph
    /// holds its own.
    #[serde(default, deserialize_with = "list::one_or_more")]
    pub weights: Vec<WeightsFile>,
}

fn is_auto(choice: &ProviderChoice) -> bool {
    *choice == ProviderChoice::Auto
}

/// Kinds of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Hybrid Transformer Demucs: waveform and complex spectrum in, both out, to be added.
    Htdemucs,
    /// Any graph with some of the same inputs and outputs, self-contained: `models/README.md` tells.
    Onnx,
    /// Spleeter: magnitudes in, the stems' magnitudes out, which share the mixture's spectrum.
    Spleeter,
}

impl Family {
    /// Whether the model wants a loudness that does not depend on the track's.
    pub fn is_normalised(self) -> bool {
        match self {
            Family::Htdemucs => true,
            Family::Onnx | Family::Spleeter => false,
        }
    }
}

/// The shape of a short-time Fourier transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StftShape {
    /// Samples of a frame.
    pub size: usize,
    /// Samples from one frame's start to the next one's.
    pub hop: usize,
}

/// A file beside the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileReference {
    /// A plain file name.
    pub file: String,
    /// What the file must hash to.
    pub sha256: Sha256Hash,
}

/// A file of weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsFile {
    /// A plain file name.
    pub file: String,
    /// What the file must hash to.
    pub sha256: Sha256Hash,
    /// In a bag the stem that is taken from these weights' answer.
    pub stem: Option<StemName>,
}

impl ModelCard {
    /// The largest overlap that makes sense: each frame is then computed ten times.
    pub const MAX_OVERLAP: f64 = 0.9;

    /// Reads a card; `path` is for the error.
    ///
    /// # Errors
    /// [`EngineError::Card`] naming what is wrong.
    pub fn parse(text: &str, path: &str) -> Result<ModelCard, EngineError> {
        let invalid = |reason: String| EngineError::Card { card: path.to_owned(), reason };
        let card: ModelCard = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
        match card.fault() {
            None => Ok(card),
            Some(reason) => Err(invalid(reason)),
        }
    }

    /// The card as TOML.
    ///
    /// # Errors
    /// In words, what cannot be written so.
    pub fn to_toml(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }

    /// Whether sessions may ask for `stem`: one of its own, or the accompaniment to its vocals.
    pub fn yields(&self, stem: &StemName) -> bool {
        self.stems.contains(stem)
            || (stem.as_str() == StemName::ACCOMPANIMENT
                && self.stems.iter().any(|own| own.as_str() == StemName::VOCALS))
    }

    /// What tells these weights from all others: their file's hash, that of a bag's hashes in the
    /// card's order, or that of the graph that holds them.
    pub fn weights_hash(&self) -> Sha256Hash {
        match &self.weights[..] {
            [] => self.graph.sha256,
            [file] => file.sha256,
            bag => Sha256Hash::of(&bag.iter().flat_map(|file| file.sha256.0).collect::<Vec<u8>>()),
        }
    }

    /// The weights that yield `stem` alone, in a bag of specialists.
    pub fn specialist(&self, stem: &StemName) -> Option<usize> {
        self.weights.iter().position(|file| file.stem.as_ref() == Some(stem))
    }

    /// How a track is cut; `overlap` counts where segments are averaged.
    pub fn segmentation(&self, overlap: f64) -> Segmentation {
        match (self.blend, self.stft) {
            (Blend::Sum, Some(StftShape { size, hop })) => {
                let frames = Frames::from_len;
                Segmentation::of_spectrum(self.segment, frames(size), frames(hop))
            }
            (Blend::Average, _) | (Blend::Sum, None) => Segmentation::new(self.segment, overlap),
        }
    }
}

#[cfg(test)]
mod tests;
