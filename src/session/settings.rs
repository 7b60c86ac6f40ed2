//! What was asked for when a session was opened.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audio::pcm::UnknownEncoding;
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

impl fmt::Display for RawPcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.encoding, self.rate.0, self.channels)
    }
}

/// The text is not `ENCODING:RATE:CHANNELS`, such as `s16le:48000:2`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRawPcm(String);

impl FromStr for RawPcm {
    type Err = InvalidRawPcm;

    fn from_str(text: &str) -> Result<RawPcm, InvalidRawPcm> {
        let parts: Vec<&str> = text.split(':').collect();
        let [encoding, rate, channels] = parts[..] else {
            let usage = "use ENCODING:RATE:CHANNELS, such as s16le:48000:2";
            return Err(InvalidRawPcm(usage.into()));
        };
        let encoding: Encoding =
            encoding.parse().map_err(|error: UnknownEncoding| InvalidRawPcm(error.to_string()))?;
        let rate = match rate.parse().map(Hertz) {
            Ok(rate) if rate.is_supported() => rate,
            _ => {
                let (lowest, highest) = (Hertz::LOWEST, Hertz::HIGHEST);
                let cause = format!("the rate {rate:?} is not between {lowest} and {highest}");
                return Err(InvalidRawPcm(cause));
            }
        };
        match channels.parse() {
            Ok(channels @ 1..=2) => Ok(RawPcm { encoding, rate, channels }),
            _ => Err(InvalidRawPcm(format!("{channels:?} channels are not 1 or 2"))),
        }
    }
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
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_raw_pcm_is_checked() {
        let raw: RawPcm = "s24le:96000:1".parse().unwrap();
        assert_eq!((raw.encoding, raw.rate, raw.channels), (Encoding::S24Le, Hertz(96_000), 1));
        assert_eq!(raw.to_string(), "s24le:96000:1");
        for bad in ["", "s16le", "s16le:48000", "u8:48000:2", "s16le:0:2", "s16le:48000:3"] {
            assert!(bad.parse::<RawPcm>().is_err(), "{bad:?} passed");
        }
    }
}
