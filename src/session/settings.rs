//! What was asked for when a session was opened.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audio::{Encoding, Hertz, StemName};
use crate::dsp::mask::MaskExtension;

/// A request, parsed and checked. Two requests with one `request_id` must be equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The model's name; `None` takes the first of the chain.
    pub model: Option<String>,
    /// The stems wanted; empty for all of the model's.
    pub stems: Vec<StemName>,
    /// The form of a raw upload; `None` for a file of any container.
    pub input: Option<RawPcm>,
    /// How stems are sent, unless a read asks otherwise.
    pub encoding: Encoding,
    /// Multiplies every sample that is sent, unless a read asks otherwise.
    pub gain: f32,
    /// The rate of the stems.
    pub rate: OutputRate,
    /// How loudness is made fit for the model.
    pub normalization: Normalization,
    /// What the accompaniment is made of.
    pub accompaniment: Accompaniment,
    /// Whether the accompaniment is wanted beside all of the model's stems, where none are named.
    pub with_accompaniment: bool,
    /// Whether another engine may take over.
    pub allow_fallback: bool,
    /// How much of a segment overlaps the next; `None` for the model's own.
    pub overlap: Option<f64>,
    /// What a mask is worth above the bins that a model sees.
    pub mask_extension: MaskExtension,
    /// Names the request.
    pub request_id: Option<Uuid>,
    /// The song's name, for people.
    pub file_name: String,
    /// What becomes of the session when its call breaks off.
    pub on_disconnect: OnDisconnect,
}

/// The form of a raw upload: interleaved samples without a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawPcm {
    /// How one sample is stored.
    pub encoding: Encoding,
    /// Frames per second.
    pub rate: Hertz,
    /// 1 or 2.
    pub channels: u8,
}

/// The rate of the stems.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputRate {
    /// The model's.
    #[default]
    Model,
    /// The upload's own.
    Source,
}

/// How loudness is made fit for the model.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// At once, without knowing the whole track.
    #[default]
    Streaming,
    /// By the whole track's mean and deviation, as the reference does.
    Exact,
}

/// What the accompaniment is made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accompaniment {
    /// Of all other stems than the vocals, or of the model's own accompaniment.
    #[default]
    Sum,
    /// Of the mixture, without the vocals.
    Minus,
}

/// What becomes of a session when its call breaks off.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// It rests, resumable.
    #[default]
    Pause,
    /// It goes on as far as its upload reaches.
    Continue,
    /// It ends.
    Cancel,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            model: None,
            stems: Vec::new(),
            input: None,
            encoding: Encoding::default(),
            gain: 1.0,
            rate: OutputRate::default(),
            normalization: Normalization::default(),
            accompaniment: Accompaniment::default(),
            with_accompaniment: false,
            allow_fallback: true,
            overlap: None,
            mask_extension: MaskExtension::default(),
            request_id: None,
            file_name: String::new(),
            on_disconnect: OnDisconnect::default(),
        }
    }
}
