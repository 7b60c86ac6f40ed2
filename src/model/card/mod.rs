//! The card: the TOML that describes a model. Parsed and checked once, then trusted.

mod mdx;
mod one_or_more;
mod quality;
mod validation;

use std::iter;

pub use mdx::MdxParameters;
pub use quality::PublishedQuality;

use serde::{Deserialize, Serialize};

use super::provider::{Provider, ProviderChoice};
use super::{ModelError, ModelName, Sha256Hash};
use crate::audio::{Frames, Hertz, StemName};
use crate::dsp::Segmentation;
use crate::dsp::segments::Blend;

/// The description of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The name that requests use.
    pub name: ModelName,
    /// Display name.
    pub title: String,
    /// The model family, which determines the processing around the graph.
    pub family: Family,
    /// The stems, in the order of the model's output.
    pub stems: Vec<StemName>,
    /// Sample rate of input and output.
    pub sample_rate: Hertz,
    /// Frames of a segment.
    pub segment: Frames,
    /// Fraction of a segment that overlaps the next, 0 to 0.9; 0 if segments are summed.
    pub overlap: f64,
    /// How overlapping segments are combined.
    #[serde(default)]
    pub blend: Blend,
    /// Share of the residual (mixture minus stems) that each stem gets, in the order of the stems; sums to 1. Empty: the
    /// residual is dropped, as in the reference implementations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual_shares: Vec<f32>,
    /// Whether SCNet sees the track with mean 0 and deviation 1, as most of its configurations have it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub normalize: bool,
    /// Execution provider, unless the command line names one: `auto`, or a provider that this model requires.
    #[serde(default, skip_serializing_if = "is_auto")]
    pub provider: ProviderChoice,
    /// Licence of the weights, for display.
    pub licence: String,
    /// Whether that licence clearly allows commercial use; `None` if that is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commercial_use: Option<bool>,
    /// Shape of the spectrum that the graph takes or yields; `None` if it has waveforms only.
    pub stft: Option<StftShape>,
    /// What an MDX-Net needs beside its graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mdx: Option<MdxParameters>,
    /// The ONNX graph.
    pub graph: FileReference,
    /// Files of weights for the graph's initialisers: one; one per stem in a bag of specialists; none if the graph
    /// contains its weights.
    #[serde(default, deserialize_with = "one_or_more::one_or_more")]
    pub weights: Vec<WeightsFile>,
    /// Published figures of its quality.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<PublishedQuality>,
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn is_auto(choice: &ProviderChoice) -> bool {
    *choice == ProviderChoice::Auto
}

/// Model families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Several models as one, see [`Ensemble`](crate::model::files::Ensemble); no card in a file has it.
    Ensemble,
    /// Hybrid Transformer Demucs: waveform and complex spectrum in, both out; a stem is their sum.
    Htdemucs,
    /// MDX-Net as UVR has it: complex spectrum in, that of one stem out; the other stem is the rest of the mixture.
    Mdx,
    /// Any self-contained graph with some of the same inputs and outputs, see `models/README.md`.
    Onnx,
    /// RoFormer, band-split or mel-band: complex spectrum in, those of the stems out.
    Roformer,
    /// SCNet: complex spectrum in, those of the stems out.
    Scnet,
    /// Spleeter: magnitudes in, magnitudes per stem out, from which ratio masks are made.
    Spleeter,
}

impl Family {
    /// Whether a provider computes what the CPU does. Of RoFormers, OpenVINO 2025.4 yields other stems (0 dB on small ones).
    pub fn runs_on(self, provider: Provider) -> bool {
        (self, provider) != (Family::Roformer, Provider::Openvino)
    }

    /// Whether the reference scales loud tracks down. Without the whole track this is left out.
    pub fn has_peak_limit(self) -> bool {
        self == Family::Mdx
    }

    /// Whether the reference mirrors the track at its ends and fades its windows, as Music-Source-Separation-Training does.
    pub fn has_mirrored_windows(self) -> bool {
        matches!(self, Family::Roformer | Family::Scnet)
    }
}

/// The shape of a short-time Fourier transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StftShape {
    /// Samples of a column.
    pub size: usize,
    /// Samples between the starts of two columns.
    pub hop: usize,
}

/// A file beside the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileReference {
    /// A plain file name.
    pub file: String,
    /// Expected SHA-256.
    pub sha256: Sha256Hash,
}

/// A file of weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsFile {
    /// A plain file name.
    pub file: String,
    /// Expected SHA-256.
    pub sha256: Sha256Hash,
    /// In a bag of specialists: the stem that these weights yield.
    pub stem: Option<StemName>,
}

impl ModelCard {
    /// Largest overlap: each frame is then computed ten times.
    pub const MAX_OVERLAP: f64 = 0.9;

    /// Parses and checks a card; `path` is for the error.
    ///
    /// # Errors
    /// [`ModelError::Card`] with the first fault.
    pub fn parse(text: &str, path: &str) -> Result<ModelCard, ModelError> {
        let invalid = |reason: String| ModelError::Card { card: path.to_owned(), reason };
        let card: ModelCard = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
        match card.fault() {
            None => Ok(card),
            Some(reason) => Err(invalid(reason)),
        }
    }

    /// The card as TOML.
    ///
    /// # Errors
    /// What cannot be written as TOML, in words.
    pub fn to_toml(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }

    /// Whether sessions may request `stem`: one of the model's, the sum of its [parts](StemName::parts), or everything but
    /// one of these.
    pub fn yields(&self, stem: &StemName) -> bool {
        let is_own = |name: &str| self.stems.iter().any(|own| own.as_str() == name);
        let has_parts = |parts: &[&str]| !parts.is_empty() && parts.iter().all(|part| is_own(part));
        let has = |name: &str| is_own(name) || has_parts(StemName::parts(name));
        has(stem.as_str()) || stem.left_out().is_some_and(has)
    }

    /// Identifies the weights: the hash of their file, of a bag's hashes in the order of the card, or of the graph that
    /// contains them.
    pub fn weights_hash(&self) -> Sha256Hash {
        match &self.weights[..] {
            [] => self.graph.sha256,
            [file] => file.sha256,
            bag => Sha256Hash::of(&bag.iter().flat_map(|file| file.sha256.0).collect::<Vec<u8>>()),
        }
    }

    /// Whether the input is normalised to a loudness independent of the track's. The members of an ensemble are by
    /// themselves.
    pub fn is_normalised(&self) -> bool {
        match self.family {
            Family::Htdemucs => true,
            Family::Scnet => self.normalize,
            Family::Ensemble | Family::Mdx | Family::Onnx | Family::Roformer | Family::Spleeter => {
                false
            }
        }
    }

    /// Whether the output depends on the deviation of the normalised input. HTDemucs normalises each segment itself.
    pub fn needs_deviation(&self) -> bool {
        self.family == Family::Scnet && self.normalize
    }

    /// Share of the mean that normalisation has removed which each stem gets back: all of it as in the reference, less if the
    /// stems sum to the mixture.
    pub fn mean_shares(&self) -> impl Iterator<Item = f32> {
        let shares = self.residual_shares.iter().copied().chain(iter::repeat(1.0));
        shares.take(self.stems.len())
    }

    /// Index of the weights of the specialist for `stem`, in a bag.
    pub fn specialist(&self, stem: &StemName) -> Option<usize> {
        self.weights.iter().position(|file| file.stem.as_ref() == Some(stem))
    }

    /// How a track is cut into segments. `overlap` applies if segments are averaged.
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
