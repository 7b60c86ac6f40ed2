//! What the source was, and what became of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audio::{Frames, Hertz};

/// How the audio was wrapped up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// Nothing around the samples.
    Raw,
    /// RIFF, RF64, BW64 or Sony Wave64.
    Wav,
    /// AIFF or AIFF-C.
    Aiff,
    /// Native FLAC.
    Flac,
    /// A run of MPEG audio frames, with or without tags.
    Mp3,
    /// Ogg.
    Ogg,
    /// MP4, M4A or QuickTime.
    Mp4,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Raw => "raw PCM",
            Container::Wav => "WAV",
            Container::Aiff => "AIFF",
            Container::Flac => "FLAC",
            Container::Mp3 => "MP3",
            Container::Ogg => "Ogg",
            Container::Mp4 => "MP4",
        })
    }
}

/// How the audio was coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodecName {
    /// Uncompressed samples of any format.
    Pcm,
    /// Free Lossless Audio Codec.
    Flac,
    /// MPEG-1 or MPEG-2 Audio Layer III.
    Mp3,
    /// Vorbis I.
    Vorbis,
    /// MPEG-4 AAC, low complexity.
    Aac,
    /// Apple Lossless.
    Alac,
}

impl fmt::Display for CodecName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CodecName::Pcm => "PCM",
            CodecName::Flac => "FLAC",
            CodecName::Mp3 => "MP3",
            CodecName::Vorbis => "Vorbis",
            CodecName::Aac => "AAC",
            CodecName::Alac => "ALAC",
        })
    }
}

/// What the first stream of an upload says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// How it is wrapped up.
    pub container: Container,
    /// How it is coded.
    pub codec: CodecName,
    /// Its own sample rate.
    pub rate: Hertz,
    /// Its own channels, before they became two.
    pub channels: u32,
    /// Its length where the header tells it to the frame, delay and padding left out.
    pub frames: Option<Frames>,
}

/// What became of an upload so far; complete once the end has been read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Streams one behind the other: 1 for an ordinary file, more for a chained Ogg.
    pub links: u64,
    /// Packets that were decoded; of uncompressed audio, pieces of 4096 frames.
    pub packets: u64,
    /// Packets that could not be decoded; each became silence of its length.
    pub damaged_packets: u64,
    /// Places where the container shows that packets are missing; each became silence of the
    /// length that is missing, as far as [`Limits::gap_frames`](super::Limits::gap_frames) goes.
    pub gaps: u64,
    /// Frames of silence that stand for damaged and missing packets, at the rates of their links.
    pub silenced_frames: Frames,
    /// Samples that were NaN, infinite or absurdly large; each became silence.
    pub wild_samples: u64,
    /// Bytes that are neither audio nor a tag that is known, between packets and behind the last.
    pub skipped_bytes: u64,
    /// Links behind the first whose headers are broken: nothing of them was decoded, and nothing
    /// behind them. At most 1.
    pub broken_links: u64,
    /// Frames that headers promised and that are not there: the upload was cut.
    pub missing_frames: Frames,
}

impl Report {
    /// Whether the audio is all that the upload promised, without a repair.
    pub fn is_clean(&self) -> bool {
        let Report { links, packets, .. } = *self;
        *self == Report { links, packets, ..Report::default() }
    }
}
