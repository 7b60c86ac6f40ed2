//! The child process: decodes an upload while it grows.

mod output;
mod tagged_file;
mod upload;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use output::BlockOutput;
use tagged_file::{TaggedFile, has_tags};
use upload::{GrowingFile, Pipe, discard};

use super::connection::ChildEnd;
use super::failure;
use super::protocol::{DecoderMessage, End, UnsupportedUpload, UploadLength};
use crate::audio::{Encoding, Frames, Hertz, TimeSpan};
use crate::decode::track::{TrackError, TrackReader};
use crate::decode::{DecodeError, DecodeLimits, DecodeReport, Input, ReadAt};
use crate::process::{ResourceLimits, Sandbox, priority, sandbox};
use crate::proto::reason::ErrorReason;
use crate::session::Failure;
use crate::session::manifest::SourceRecord;
use crate::session::source::counts;

/// Arguments of the decoder process.
#[derive(Debug, Clone)]
pub struct DecodeJob {
    /// The upload's file; elsewhere it is the standard input.
    #[cfg(not(unix))]
    pub upload: std::path::PathBuf,
    /// The format of its bytes.
    pub input: Input,
    /// The rate of the output.
    pub rate: Hertz,
    /// The part to decode.
    pub span: TimeSpan,
    /// Whether to send the edges of silent passages.
    pub find_silence: bool,
    /// Whether audio that begins later than the pictures beside it begins with silence, and all edits of a track are
    /// followed.
    pub keep_start: bool,
    /// Whether the upload is a pipe that another decoder writes to, instead of a file that grows.
    pub piped: bool,
    /// Whether to read the tags of the upload alone, which is complete.
    pub only_tags: bool,
    /// Limit of this process's address space, in bytes.
    pub memory: u64,
    /// Limit of this process's processor time, in seconds.
    pub processor_time_s: u64,
    /// Whether to refuse where this system lacks a part of the sandbox.
    pub require_sandbox: bool,
}

impl DecodeJob {
    /// This process's end of the connection to its parent.
    fn connect(&self) -> io::Result<ChildEnd> {
        #[cfg(unix)]
        return ChildEnd::inherited();
        #[cfg(not(unix))]
        ChildEnd::at(&self.upload)
    }
}

/// Decodes an upload while it grows, as a child of the process that shares the standard streams. Confines this process
/// before anything is read.
///
/// # Errors
/// The parent has closed its end. Errors of the upload are sent to the parent instead.
pub fn run(job: &DecodeJob) -> io::Result<()> {
    ResourceLimits { memory_bytes: job.memory, cpu_time_s: job.processor_time_s }.apply()?;
    priority::lower_process();
    let ChildEnd { upload, mut lengths, messages } = job.connect()?;
    let output = BlockOutput::new(messages);
    let tagged = TaggedFile::new(&upload)?;
    let last = match confine(job) {
        Ok(sandbox) => {
            output.send(&DecoderMessage::Confined(sandbox))?;
            if job.only_tags {
                let length = UploadLength::receive(&mut lengths)?;
                tagged.length.store(length.bytes, Ordering::Relaxed);
                let end = end_with_tags(job, &tagged, &output, End::default())?;
                output.send(&DecoderMessage::End(end))?;
                return output.flush();
            }
            let upload: Box<dyn ReadAt> = if job.piped {
                Box::new(Pipe { pipe: upload, position: 0 })
            } else {
                let (length, output) = (UploadLength::default(), output.clone());
                let shown = Arc::clone(&tagged.length);
                Box::new(GrowingFile { file: upload, lengths, length, shown, output })
            };
            last_message(job, upload, &tagged, &output)?
        }
        Err(failure) => DecoderMessage::Failed(failure),
    };
    output.send(&last)?;
    output.flush()
}

/// Enters the sandbox.
fn confine(job: &DecodeJob) -> Result<Sandbox, Failure> {
    let sandbox = sandbox::enter().map_err(|error| failure::not_confined(&error))?;
    match sandbox.missing() {
        Some(missing) if job.require_sandbox => Err(failure::unconfined(missing)),
        _ => Ok(sandbox),
    }
}

/// Decodes the upload and sends all messages but the last, which is returned.
fn last_message(
    job: &DecodeJob,
    upload: Box<dyn ReadAt>,
    tagged: &TaggedFile,
    output: &BlockOutput,
) -> io::Result<DecoderMessage> {
    let mut limits = DecodeLimits::default();
    if !job.keep_start {
        limits.late_start_frames = 0;
        limits.edits = 1;
    }
    let opened = TrackReader::open_part(upload, &job.input, &limits, job.rate, job.span);
    let unsupported = opened.as_ref().is_err_and(TrackError::is_unsupported);
    match opened.and_then(|track| decode(job, track, tagged, output)) {
        Ok(end) => Ok(DecoderMessage::End(end)),
        Err(TrackError::Decode(DecodeError::Io(error))) => Err(error),
        Err(error) if unsupported => Ok(DecoderMessage::Unsupported(UnsupportedUpload {
            failure: failure_of(&error),
            is_timed: error.is_timed(),
        })),
        Err(error) => Ok(DecoderMessage::Failed(failure_of(&error))),
    }
}

fn decode(
    job: &DecodeJob,
    mut track: TrackReader,
    tagged: &TaggedFile,
    output: &BlockOutput,
) -> Result<End, TrackError> {
    let send = |message: DecoderMessage| output.send(&message).map_err(DecodeError::Io);
    let info = track.source();
    send(DecoderMessage::Source(SourceRecord {
        container: info.container.to_string(),
        codec: info.codec.to_string(),
        rate: info.rate,
        channels: info.channels,
        frames: info.frames,
        damaged: Frames::ZERO,
        output_rate: job.rate,
        decoder: None,
        live_limit_s: None,
        report: DecodeReport::default(),
        tags: tagged.tags(job),
        cover_bytes: None,
        cover_crc32c: None,
        cover_left_out: false,
        track: info.track,
    }))?;
    if job.find_silence {
        track.find_silence();
    }
    loop {
        let block = track.next_block()?;
        for edge in track.take_silence_edges() {
            send(DecoderMessage::Silence(edge))?;
        }
        let Some(block) = block else { break };
        let mut bytes = Vec::with_capacity(block.len() * 8);
        Encoding::F32Le.write_frames(&block, &mut bytes);
        for piece in bytes.chunks(PIECE_BYTES) {
            send(DecoderMessage::Pcm(piece.to_vec()))?;
        }
    }
    if job.piped {
        // The other decoder ends by itself, and not because nothing reads its output.
        discard(&mut io::stdin().lock()).map_err(DecodeError::Io)?;
    }
    let report = track.report();
    let end = End {
        source_frames: track.source_frames(),
        damaged: report.silenced_frames,
        notices: counts(&report).filter_map(|(kind, count)| kind.notice(count)).collect(),
        report,
        ..End::default()
    };
    end_with_tags(job, tagged, output, end).map_err(|error| DecodeError::Io(error).into())
}

/// Adds the tags, which some formats have at the end, and sends the cover.
fn end_with_tags(
    job: &DecodeJob,
    tagged: &TaggedFile,
    output: &BlockOutput,
    end: End,
) -> io::Result<End> {
    if !has_tags(job) {
        return Ok(end);
    }
    let cover = tagged.cover(job);
    if let Ok(Some(cover)) = &cover {
        output.send(&DecoderMessage::Cover(cover.bytes().to_vec()))?;
    }
    Ok(End { tags: Some(tagged.tags(job)), cover_left_out: cover.is_err(), ..end })
}

/// PCM of one message; whole frames.
const PIECE_BYTES: usize = 1 << 20;

/// The failure of the session for a decoding error.
fn failure_of(error: &TrackError) -> Failure {
    let reason = match error {
        TrackError::Resample(_) => ErrorReason::SampleRateUnsupported,
        TrackError::Decode(error) => match error {
            DecodeError::Io(_) => ErrorReason::StorageFailed,
            DecodeError::Empty => ErrorReason::UploadEmpty,
            DecodeError::UnknownFormat { .. } => ErrorReason::FormatUnknown,
            DecodeError::UnsupportedCodec { .. } | DecodeError::NoAudioTrack { .. } => {
                ErrorReason::CodecUnsupported
            }
            DecodeError::UnsupportedRate { .. } => ErrorReason::SampleRateUnsupported,
            DecodeError::UnsupportedChannels { .. } => ErrorReason::ChannelsUnsupported,
            DecodeError::Malformed { .. } | DecodeError::NothingDecoded { .. } => {
                ErrorReason::NothingDecoded
            }
            DecodeError::TooLarge { .. } => ErrorReason::DecoderLimit,
            DecodeError::OddPcmLength { .. } => ErrorReason::PcmLengthOdd,
            DecodeError::BehindEnd { .. } | DecodeError::TrackMissing { .. } => {
                ErrorReason::ConfigInvalid
            }
        },
    };
    let failure = Failure::new(reason, error.to_string());
    match error.remedy() {
        Some(remedy) => failure.with_remedy(remedy),
        None => failure,
    }
}
