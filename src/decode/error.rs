//! Errors of decoding.

use std::io;

use super::report::Container;
use crate::audio::Hertz;

/// Remedy where an upload has fewer audio tracks.
pub(crate) const CHOOSE_TRACK: &str =
    "Choose one of its audio tracks, counted from 1, or none for the first.";

/// What an upload may be whose format is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownContent {
    /// Neither audio nor video: text, a picture, an archive.
    NoMedia,
    /// Audio or video.
    Media,
    /// Audio beside pictures, with a time for each packet that has nothing but its place in it, such as a preroll.
    TimedFilm,
}

/// Error that ends decoding.
///
/// The text is the cause; [`remedy`](DecodeError::remedy) is the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// I/O errors of the upload.
    #[error("the upload cannot be read")]
    Io(#[from] io::Error),
    /// The upload has no bytes.
    #[error("the upload is empty")]
    Empty,
    /// No supported format is recognised in the content.
    #[error("the upload is {looks_like}")]
    UnknownFormat {
        /// What the first bytes look like: "text", "a ZIP archive", "of an unknown format".
        looks_like: &'static str,
        /// What it may be all the same.
        content: UnknownContent,
    },
    /// The container is supported, its codec is not.
    #[error("{codec} in {container} is not supported")]
    UnsupportedCodec {
        /// Where it was found.
        container: Container,
        /// Its name, as far as the headers state it.
        codec: String,
    },
    /// The container holds pictures or text, but no audio.
    #[error("the {container} file has no audio track")]
    NoAudioTrack {
        /// What was searched.
        container: Container,
    },
    /// The container has fewer audio tracks.
    #[error("there is no audio track {wanted}: the {container} file has {count} ({codecs})")]
    TrackMissing {
        /// What was searched.
        container: Container,
        /// The number that was asked for, from 1.
        wanted: u32,
        /// How many audio tracks there are.
        count: u32,
        /// Their codecs, in their order.
        codecs: String,
    },
    /// The sample rate is out of range.
    #[error(
        "a sample rate of {rate} is not supported: it must be {lowest} to {highest}",
        lowest = Hertz::LOWEST,
        highest = Hertz::HIGHEST
    )]
    UnsupportedRate {
        /// The rate in the header.
        rate: Hertz,
    },
    /// The channel count is out of range.
    #[error("{channels} channels are not supported: it must be 1 to {max}")]
    UnsupportedChannels {
        /// The count in the header.
        channels: u32,
        /// [`DecodeLimits::channels`](super::DecodeLimits::channels), or 2 for raw PCM.
        max: u32,
    },
    /// A header contradicts itself or ends early, so that nothing behind it can be read.
    #[error("the {container} header is broken: {what}")]
    Malformed {
        /// The format that it claims.
        container: Container,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A header requires more than a limit allows.
    #[error("the {container} file has more than {limit} {what}")]
    TooLarge {
        /// The format that it claims.
        container: Container,
        /// What is limited, in the plural: "streams", "bytes in one packet".
        what: &'static str,
        /// The limit, in the unit that `what` names.
        limit: u64,
    },
    /// Raw PCM ends within a frame: it was cut, or its encoding differs from the stated one.
    #[error(
        "the raw PCM has {bytes} bytes, which is not a multiple of its {frame_bytes} bytes per frame"
    )]
    OddPcmLength {
        /// The length of the upload.
        bytes: u64,
        /// Bytes of one sample of every channel.
        frame_bytes: u64,
    },
    /// The headers are valid, but no packet could be decoded.
    #[error("the {container} file holds no audio that can be decoded ({damaged} damaged packets)")]
    NothingDecoded {
        /// What was read.
        container: Container,
        /// Packets that could not be decoded, and gaps.
        damaged: u64,
    },
    /// The part of the upload that is to be decoded begins behind its end.
    #[error("the part begins at {start_s} s, and the song ends at {end_s:.3} s")]
    BehindEnd {
        /// Where the part begins, in seconds.
        start_s: f64,
        /// Where the upload ends, in seconds.
        end_s: f64,
    },
}

impl DecodeError {
    /// Whether another decoder may read the upload: only its container or its codec is not supported here.
    pub fn is_unsupported(&self) -> bool {
        match self {
            DecodeError::UnknownFormat { content, .. } => *content != UnknownContent::NoMedia,
            DecodeError::UnsupportedCodec { .. } => true,
            _ => false,
        }
    }

    /// Whether the upload is of a container that has a time for each packet, which shows when its audio begins.
    pub fn is_timed(&self) -> bool {
        match self {
            DecodeError::UnknownFormat { content, .. } => *content == UnknownContent::TimedFilm,
            DecodeError::UnsupportedCodec { .. } => true,
            _ => false,
        }
    }

    /// The remedy, as one imperative sentence; `None` for I/O errors, which have none of their own.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            DecodeError::Io(_) => None,
            DecodeError::Empty => Some("Send the bytes of an audio file."),
            DecodeError::UnknownFormat { .. } => Some(
                "Send WAV, AIFF, FLAC, MP3, AAC, Ogg, MP4/M4A or Matroska, or convert the file, for example with \
                 `ffmpeg -i INPUT -c:a flac OUTPUT.flac`.",
            ),
            DecodeError::UnsupportedCodec { .. } => {
                Some("Convert the file with `ffmpeg -i INPUT -c:a flac OUTPUT.flac` and send that.")
            }
            DecodeError::NoAudioTrack { .. } => Some("Send a file that has an audio track."),
            DecodeError::TrackMissing { .. } => Some(CHOOSE_TRACK),
            DecodeError::UnsupportedRate { .. } => {
                Some("Resample the file, for example to 44.1 kHz, and send that.")
            }
            DecodeError::UnsupportedChannels { .. } => Some("Send a stereo mix."),
            DecodeError::Malformed { .. } | DecodeError::TooLarge { .. } => {
                Some("Convert the file, for example to WAV, and send that.")
            }
            DecodeError::OddPcmLength { .. } => Some("Check the encoding and the channel count."),
            DecodeError::NothingDecoded { .. } => {
                Some("Check that the file plays elsewhere, and send it again.")
            }
            DecodeError::BehindEnd { .. } => {
                Some("Choose a part that begins before the end of the song.")
            }
        }
    }
}
