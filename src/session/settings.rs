//! The settings of a session, as its client requested them.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audio::pcm::UnknownEncoding;
use crate::audio::{Encoding, Hertz, StemName, Stereo, TimeSpan};
use crate::dsp::mask::MaskExtension;
use crate::model::choice::Quality;

/// A request, parsed and checked. Two requests with one `request_id` must be equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Name of the model; `None` for the first that works of the chain.
    pub model: Option<String>,
    /// What counts in the choice of the model, if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// The wanted stems; empty for all stems of the model.
    pub stems: Vec<StemName>,
    /// Format of a raw PCM upload; `None` for a file in any container.
    pub input: Option<RawPcm>,
    /// The part of the song that is separated.
    #[serde(skip_serializing_if = "TimeSpan::is_whole")]
    pub span: TimeSpan,
    /// Number of the audio track of the upload, from 1; `None` for the first of a supported codec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<NonZero<u32>>,
    /// Default encoding of the stems for reads.
    pub encoding: Encoding,
    /// Default gain for reads, as a factor.
    pub gain: f32,
    /// Default channels for reads.
    #[serde(skip_serializing_if = "OutputChannels::is_stereo")]
    pub channels: OutputChannels,
    /// Sample rate of the stems.
    pub rate: OutputRate,
    /// How the input is normalized for the model.
    pub normalization: Normalization,
    /// How the accompaniment and everything but another stem are computed.
    pub accompaniment: Accompaniment,
    /// Whether to add the accompaniment to the stems of the model, if no stems are named.
    pub with_accompaniment: bool,
    /// Whether another engine may take over after errors.
    pub allow_fallback: bool,
    /// Fraction of a segment that overlaps the next; `None` for the model's default.
    pub overlap: Option<f64>,
    /// How masks are extended above the highest bin that the model sees.
    pub mask_extension: MaskExtension,
    /// Identifies the request, so that repeating it returns the same session.
    pub request_id: Option<Uuid>,
    /// Display name of the song.
    pub file_name: String,
    /// What happens when the client disconnects.
    pub on_disconnect: OnDisconnect,
}

/// Format of a raw PCM upload: interleaved samples without a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawPcm {
    /// Encoding of one sample.
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

/// Channels of stems as they are read. They are stored with two.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputChannels {
    /// Two.
    #[default]
    Stereo,
    /// One if the song has one, else two.
    Source,
}

impl OutputChannels {
    /// Whether there are two, whatever the song has.
    pub fn is_stereo(&self) -> bool {
        *self == OutputChannels::Stereo
    }

    /// Whether stems of a song with so many channels have one, the mean of both.
    pub fn is_mono(self, source_channels: u32) -> bool {
        self == OutputChannels::Source && source_channels == 1
    }

    /// How many channels stems of a song with so many have.
    pub fn count(self, source_channels: u32) -> usize {
        if self.is_mono(source_channels) { 1 } else { Stereo::CHANNELS }
    }
}

/// Sample rate of the stems.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputRate {
    /// That of the model.
    #[default]
    Model,
    /// That of the upload.
    Source,
}

/// How the input is normalized for the model.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Without waiting for the whole track.
    #[default]
    Streaming,
    /// By mean and deviation of the whole track, as the reference implementation does.
    Exact,
}

/// How everything but a stem is computed: the accompaniment, `no_drums` and so on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accompaniment {
    /// The sum of all other stems, or the model's own stem of that name.
    #[default]
    Sum,
    /// The mixture minus the stem.
    Minus,
}

/// What happens to a session when its client disconnects.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// It is paused and can be resumed.
    #[default]
    Pause,
    /// It continues with the bytes that have arrived.
    Continue,
    /// It is cancelled.
    Cancel,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            model: None,
            quality: None,
            stems: Vec::new(),
            input: None,
            span: TimeSpan::default(),
            track: None,
            encoding: Encoding::default(),
            gain: 1.0,
            channels: OutputChannels::default(),
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
