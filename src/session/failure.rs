//! Why a session failed, and why a call on one is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::{SessionId, SessionState};
use crate::audio::{Frames, StemName};

/// Why a session ended FAILED; kept in its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind.
    pub reason: Reason,
    /// Cause and remedy, in words; the remedy stands after the last `; `.
    pub message: String,
    /// The numbers behind it.
    #[serde(default)]
    pub details: BTreeMap<String, String>,
}

/// Kinds of failures of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The upload has no bytes.
    UploadEmpty,
    /// The upload's hash is not the one that the client gave.
    UploadHashMismatch,
    /// The upload is longer than is allowed.
    UploadTooLarge,
    /// The upload is in no format that is understood.
    FormatUnknown,
    /// The format is understood, its codec is not.
    CodecUnsupported,
    /// The sample rate cannot be resampled.
    SampleRateUnsupported,
    /// The channel count cannot be mixed down.
    ChannelsUnsupported,
    /// Raw PCM ends in the middle of a frame.
    PcmLengthOdd,
    /// Nothing in the upload could be decoded.
    NothingDecoded,
    /// The decoder crashed.
    DecoderCrashed,
    /// The decoder made no progress, or wanted more than it may have.
    DecoderLimit,
    /// The track is longer than is allowed.
    TrackTooLong,
    /// The disk is full.
    DiskFull,
    /// The disk fails otherwise.
    StorageFailed,
    /// The model cannot be loaded.
    ModelUnavailable,
    /// The model failed on a segment, and again, and no other took over.
    EngineFailed,
    /// The same, and those that are left do not yield every wanted stem.
    NoFallbackForStem,
    /// It was not resumed in time.
    ResumeWindowEnded,
    /// The server ended abnormally with it too often.
    CrashedTooOften,
    /// A defect of the server.
    Internal,
}

impl Reason {
    /// The name on the wire, in `UPPER_SNAKE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::UploadEmpty => "UPLOAD_EMPTY",
            Reason::UploadHashMismatch => "UPLOAD_HASH_MISMATCH",
            Reason::UploadTooLarge => "UPLOAD_TOO_LARGE",
            Reason::FormatUnknown => "FORMAT_UNKNOWN",
            Reason::CodecUnsupported => "CODEC_UNSUPPORTED",
            Reason::SampleRateUnsupported => "SAMPLE_RATE_UNSUPPORTED",
            Reason::ChannelsUnsupported => "CHANNELS_UNSUPPORTED",
            Reason::PcmLengthOdd => "PCM_LENGTH_ODD",
            Reason::NothingDecoded => "NOTHING_DECODED",
            Reason::DecoderCrashed => "DECODER_CRASHED",
            Reason::DecoderLimit => "DECODER_LIMIT",
            Reason::TrackTooLong => "TRACK_TOO_LONG",
            Reason::DiskFull => "DISK_FULL",
            Reason::StorageFailed => "STORAGE_FAILED",
            Reason::ModelUnavailable => "MODEL_UNAVAILABLE",
            Reason::EngineFailed => "ENGINE_FAILED",
            Reason::NoFallbackForStem => "NO_FALLBACK_FOR_STEM",
            Reason::ResumeWindowEnded => "RESUME_WINDOW_ENDED",
            Reason::CrashedTooOften => "CRASHED_TOO_OFTEN",
            Reason::Internal => "INTERNAL",
        }
    }
}

impl Failure {
    /// A failure without numbers.
    pub fn new(reason: Reason, message: impl Into<String>) -> Failure {
        Failure { reason, message: message.into(), details: BTreeMap::new() }
    }

    /// Adds a number.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Failure {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }

    /// The failure that an error of the disk is.
    pub fn of_storage(error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::StorageFull {
            Failure::new(Reason::DiskFull, "the server's disk is full; try again when it has room")
        } else {
            Failure::new(Reason::StorageFailed, format!("the server's disk fails: {error}"))
        }
    }
}

/// The failure of an upload that is longer than is allowed.
pub(super) fn too_large(limit: u64) -> Failure {
    let text = format!(
        "the upload exceeds the limit of {limit} bytes; send a shorter or a compressed file"
    );
    Failure::new(Reason::UploadTooLarge, text).with("limit_bytes", limit)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)
    }
}

/// Why a call on a session is refused.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no such session.
    #[error("there is no session {0}: it may have been deleted or have expired")]
    NotFound(SessionId),
    /// A chunk begins after the end of what is held.
    #[error(
        "the chunk begins at byte {offset}, but only {committed} bytes are held; continue there"
    )]
    Gap {
        /// Where the chunk begins.
        offset: u64,
        /// Bytes held.
        committed: u64,
    },
    /// A chunk repeats bytes, but others.
    #[error("the bytes from {offset} on differ from those that are held: this is another file")]
    Conflict {
        /// Where the chunk begins.
        offset: u64,
    },
    /// More bytes came after the end was told.
    #[error("the upload has been finished with {total} bytes and takes no more")]
    UploadFinished {
        /// Its length.
        total: u64,
    },
    /// The upload is longer than is allowed.
    #[error("{}", too_large(*limit).message)]
    UploadTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The end was told before all bytes came.
    #[error("the upload should have {total} bytes, but only {committed} are held; send the rest")]
    UploadIncomplete {
        /// The length told.
        total: u64,
        /// Bytes held.
        committed: u64,
    },
    /// More bytes came than the end says.
    #[error("the upload should have {total} bytes, but {committed} are held")]
    UploadSizeMismatch {
        /// The length told.
        total: u64,
        /// Bytes held.
        committed: u64,
    },
    /// The session has failed, perhaps just now.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// The session has ended and takes nothing more.
    #[error("the session has ended {0:?}")]
    Ended(SessionState),
    /// The request id names a session of another config.
    #[error(
        "request_id {request_id} names session {session}, which has another config; take a new id"
    )]
    RequestConflict {
        /// The request's id.
        request_id: String,
        /// The session that it names.
        session: SessionId,
    },
    /// The session has no such stem.
    #[error("the session has no stem {stem:?}: it has {known}")]
    StemUnknown {
        /// The stem asked for.
        stem: String,
        /// The stems there are.
        known: String,
    },
    /// A read begins after the end.
    #[error("frame {frame} is beyond the end of {stem}, which has {frames} frames")]
    FrameOutOfRange {
        /// The stem.
        stem: StemName,
        /// Where the read begins.
        frame: Frames,
        /// The stem's length.
        frames: Frames,
    },
    /// The disk fails.
    #[error("the server's disk fails: {0}")]
    Storage(#[from] io::Error),
}
