//! Why an upload is not decoded.

use std::io;

use super::report::Container;
use crate::audio::Hertz;

/// Why an upload is not decoded, or no further.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes could not be had.
    #[error("the upload cannot be read")]
    Io(#[from] io::Error),
    /// There is not one byte.
    #[error("the upload is empty; send the bytes of an audio file")]
    Empty,
    /// No audio format is recognised in the content.
    #[error(
        "the upload is {looks_like}; send WAV (also RF64, Wave64), AIFF, FLAC, MP3, Ogg Vorbis, \
         Ogg FLAC or MP4/M4A with AAC-LC or ALAC"
    )]
    UnknownFormat {
        /// What the first bytes look like: "text", "a ZIP archive", "of no format that is known".
        looks_like: &'static str,
    },
    /// The container is read, but not what is in it.
    #[error(
        "{codec} in {container} is not decoded here; convert it, for example to WAV, or to FLAC of \
         24 bits, and send that"
    )]
    UnsupportedCodec {
        /// Where it was found.
        container: Container,
        /// What it is, as far as the header names it.
        codec: String,
    },
    /// The container holds pictures or text, but no sound.
    #[error("the {container} file has no audio track; send one that has")]
    NoAudioTrack {
        /// What was searched.
        container: Container,
    },
    /// The rate is beyond what is resampled.
    #[error(
        "a sample rate of {rate} is not taken; it must be {lowest} to {highest}",
        lowest = Hertz::LOWEST,
        highest = Hertz::HIGHEST
    )]
    UnsupportedRate {
        /// What the header says.
        rate: Hertz,
    },
    /// No rule says how so many channels become two.
    #[error("{channels} channels are not taken: it must be 1 to {most}; send a stereo mix")]
    UnsupportedChannels {
        /// What the header says.
        channels: u32,
        /// [`Limits::channels`](super::Limits::channels), or 2 for raw PCM.
        most: u32,
    },
    /// A header contradicts itself or ends early, so that nothing behind it can be read.
    #[error(
        "the {container} header is broken: {what}; convert the file, for example to WAV, and send that"
    )]
    Malformed {
        /// What it claims to be.
        container: Container,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A header wants more than a limit allows.
    #[error(
        "the {container} file is beyond a limit: {what} takes more than {limit}; convert the file, for \
         example to WAV, and send that"
    )]
    TooLarge {
        /// What it claims to be.
        container: Container,
        /// What is too large.
        what: &'static str,
        /// The limit, in the unit that `what` names.
        limit: u64,
    },
    /// Raw PCM that ends within a frame was cut, or is of another encoding than was said.
    #[error(
        "the raw PCM is {bytes} bytes long, which is no multiple of its {frame_bytes} bytes a \
         frame; check encoding and channels"
    )]
    OddPcmLength {
        /// The length of the upload.
        bytes: u64,
        /// Bytes of one sample of every channel.
        frame_bytes: u64,
    },
    /// The header was read, but not one packet behind it could be decoded.
    #[error(
        "the {container} file holds no audio that can be decoded ({damaged} damaged packets); see that \
         it plays elsewhere, and send it again"
    )]
    NothingDecoded {
        /// What was read.
        container: Container,
        /// How many packets were tried.
        damaged: u64,
    },
}
