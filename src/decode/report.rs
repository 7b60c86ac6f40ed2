//! What the headers of an upload state, and what decoding found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audio::{Frames, Hertz};

/// File format of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// Samples without a header.
    Raw,
    /// RIFF, RF64, BW64 or Sony Wave64.
    Wav,
    /// AIFF or AIFF-C.
    Aiff,
    /// Native FLAC.
    Flac,
    /// A sequence of MPEG audio frames of layer III, with or without tags.
    Mp3,
    /// The same of layer I or II.
    Mpeg,
    /// A sequence of AAC frames with headers.
    Adts,
    /// Ogg.
    Ogg,
    /// MP4, M4A or QuickTime.
    Mp4,
    /// Matroska or WebM.
    Matroska,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Raw => "raw PCM",
            Container::Wav => "WAV",
            Container::Aiff => "AIFF",
            Container::Flac => "FLAC",
            Container::Mp3 => "MP3",
            Container::Mpeg => "MPEG audio",
            Container::Adts => "ADTS",
            Container::Ogg => "Ogg",
            Container::Mp4 => "MP4",
            Container::Matroska => "Matroska",
        })
    }
}

/// Codec of an upload's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodecName {
    /// Uncompressed samples of any format.
    Pcm,
    /// Free Lossless Audio Codec.
    Flac,
    /// MPEG-1 or MPEG-2 Audio Layer I.
    Mp1,
    /// MPEG-1 or MPEG-2 Audio Layer II.
    Mp2,
    /// MPEG-1 or MPEG-2 Audio Layer III.
    Mp3,
    /// Opus.
    Opus,
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
            CodecName::Mp1 => "MP1",
            CodecName::Mp2 => "MP2",
            CodecName::Mp3 => "MP3",
            CodecName::Opus => "Opus",
            CodecName::Vorbis => "Vorbis",
            CodecName::Aac => "AAC",
            CodecName::Alac => "ALAC",
        })
    }
}

/// Which of the audio tracks of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioTrack {
    /// Its number, counted from 1 in the order of the file. Only audio tracks count.
    pub number: u32,
    /// How many there are.
    pub count: u32,
}

impl AudioTrack {
    /// The track of a container that has one.
    pub const ONLY: AudioTrack = AudioTrack { number: 1, count: 1 };
}

impl Default for AudioTrack {
    fn default() -> AudioTrack {
        AudioTrack::ONLY
    }
}

/// What the headers of an upload's first link state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// File format.
    pub container: Container,
    /// Codec.
    pub codec: CodecName,
    /// Sample rate before resampling.
    pub rate: Hertz,
    /// Channels before the downmix.
    pub channels: u32,
    /// Exact length without delay and padding, where the headers state it.
    pub frames: Option<Frames>,
    /// Which audio track of the container it is.
    pub track: AudioTrack,
}

/// Counts of what was decoded, repaired and skipped so far; complete once decoding has ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecodeReport {
    /// Streams in the chain: 1 for an ordinary file.
    pub links: u64,
    /// Packets decoded; of PCM, pieces of 4096 frames.
    pub packets: u64,
    /// Packets that could not be decoded. Each became silence of its length.
    pub damaged_packets: u64,
    /// Positions at which packets are missing. Each became silence of the missing length, within
    /// [`DecodeLimits::gap_frames`](super::DecodeLimits::gap_frames).
    pub gaps: u64,
    /// Frames of silence that replace damaged and missing packets, at the rates of their links.
    pub silenced_frames: Frames,
    /// Samples that were NaN, infinite or absurdly large. Each became silence.
    pub invalid_samples: u64,
    /// Bytes between packets and behind the last that are neither audio nor a known tag.
    pub skipped_bytes: u64,
    /// Links after the first whose headers are broken. Decoding ends there, so at most 1.
    pub broken_links: u64,
    /// Frames that headers state but the upload does not hold: it was cut.
    pub missing_frames: Frames,
}

impl DecodeReport {
    /// Whether the upload was decoded completely and without repairs.
    pub fn is_clean(&self) -> bool {
        let DecodeReport { links, packets, .. } = *self;
        *self == DecodeReport { links, packets, ..DecodeReport::default() }
    }
}
