//! What runs in the child process.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Stdout, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::protocol::{COMPLETE, End, Message};
use super::rank::lower_process;
use crate::audio::{Encoding, Frames, Hertz};
use crate::decode::track::{TrackError, TrackReader};
use crate::decode::{DecodeError, DecodeLimits, DecodeReport, Input, ReadAt};
use crate::session::manifest::SourceRecord;
use crate::session::{Failure, Reason};

/// What the child is called with.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// The upload's file.
    pub upload: &'a Path,
    /// What its bytes are.
    pub input: Input,
    /// The rate to bring it to.
    pub rate: Hertz,
    /// Address space that this process may have, in bytes.
    pub memory: u64,
    /// Processor time that this process may use, in seconds.
    pub processor_time_s: u64,
}

/// Decodes an upload while it grows; talks to the parent through the standard streams.
///
/// # Errors
/// Where the parent is gone. What is wrong with the upload is told to the parent instead.
pub fn run(task: &Task<'_>) -> io::Result<()> {
    restrict(task)?;
    lower_process();
    let out = Arc::new(Mutex::new(BufWriter::with_capacity(256 * 1024, io::stdout())));
    let upload = GrowingFile {
        file: File::open(task.upload)?,
        told: 0,
        complete: false,
        out: Arc::clone(&out),
    };
    let last = match decode(task, upload, &out) {
        Ok(end) => Message::End(end),
        Err(TrackError::Decode(DecodeError::Io(error))) => return Err(error),
        Err(error) => Message::Failed(failure(&error)),
    };
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    last.write(&mut *out)?;
    out.flush()
}

fn decode(task: &Task<'_>, upload: GrowingFile, out: &Output) -> Result<End, TrackError> {
    let send = |message: Message| -> Result<(), TrackError> {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        message.write(&mut *out).map_err(|error| TrackError::Decode(DecodeError::Io(error)))
    };
    let mut track =
        TrackReader::open(Box::new(upload), &task.input, &DecodeLimits::default(), task.rate)?;
    let info = track.source();
    send(Message::Source(SourceRecord {
        container: info.container.to_string(),
        codec: info.codec.to_string(),
        rate: info.rate,
        channels: info.channels,
        frames: info.frames,
        damaged: Frames::ZERO,
        output_rate: task.rate,
    }))?;
    while let Some(block) = track.next_block()? {
        let mut bytes = Vec::with_capacity(block.len() * 8);
        Encoding::F32Le.write_frames(&block, &mut bytes);
        for piece in bytes.chunks(PIECE_BYTES) {
            send(Message::Pcm(piece.to_vec()))?;
        }
    }
    let report = track.report();
    Ok(End {
        source_frames: track.source_frames(),
        damaged: report.silenced_frames,
        notices: notices(&report),
    })
}

/// PCM of one message; whole frames.
const PIECE_BYTES: usize = 1 << 20;

type Output = Mutex<BufWriter<Stdout>>;

/// The upload's file, as far as the parent says that it has grown.
struct GrowingFile {
    file: File,
    told: u64,
    complete: bool,
    out: Arc<Output>,
}

impl ReadAt for GrowingFile {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        while offset >= self.told && !self.complete {
            self.wait()?;
        }
        let there = self.told.saturating_sub(offset).min(into.len() as u64) as usize;
        if there == 0 {
            return Ok(0);
        }
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read(&mut into[..there])
    }
}

impl GrowingFile {
    /// Waits for the parent's next word, having sent all that is known.
    fn wait(&mut self) -> io::Result<()> {
        {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            let word = self.told | if self.complete { COMPLETE } else { 0 };
            Message::Waiting(word).write(&mut *out)?;
            out.flush()?;
        }
        let mut word = [0; 8];
        io::stdin().read_exact(&mut word)?;
        let word = u64::from_le_bytes(word);
        self.complete = word & COMPLETE != 0;
        self.told = word & !COMPLETE;
        Ok(())
    }
}

fn notices(report: &DecodeReport) -> Vec<String> {
    let mut notices = Vec::new();
    let mut tell = |count: u64, text: &str| {
        if count > 0 {
            notices.push(format!("{count} {text}"));
        }
    };
    tell(report.damaged_packets, "damaged packets became silence of their length");
    tell(report.gaps, "gaps in the stream became silence of their length");
    tell(report.invalid_samples, "samples were no numbers and became silence");
    tell(report.skipped_bytes, "bytes are neither audio nor a known tag and were left out");
    tell(report.broken_links, "further stream begins with a broken header and was left out");
    tell(report.missing_frames.0, "frames that the header promises are not there");
    notices
}

/// The failure that an error of decoding is, for the client.
fn failure(error: &TrackError) -> Failure {
    let reason = match error {
        TrackError::Resample(_) => Reason::SampleRateUnsupported,
        TrackError::Decode(error) => match error {
            DecodeError::Io(_) => Reason::StorageFailed,
            DecodeError::Empty => Reason::UploadEmpty,
            DecodeError::UnknownFormat { .. } => Reason::FormatUnknown,
            DecodeError::UnsupportedCodec { .. } | DecodeError::NoAudioTrack { .. } => {
                Reason::CodecUnsupported
            }
            DecodeError::UnsupportedRate { .. } => Reason::SampleRateUnsupported,
            DecodeError::UnsupportedChannels { .. } => Reason::ChannelsUnsupported,
            DecodeError::Malformed { .. } | DecodeError::NothingDecoded { .. } => {
                Reason::NothingDecoded
            }
            DecodeError::TooLarge { .. } => Reason::DecoderLimit,
            DecodeError::OddPcmLength { .. } => Reason::PcmLengthOdd,
        },
    };
    let remedy = match error {
        TrackError::Decode(error) => error.remedy(),
        TrackError::Resample(_) => None,
    };
    let message = remedy.map_or_else(|| error.to_string(), |remedy| format!("{error}; {remedy}"));
    Failure::new(reason, message)
}

/// Gives this process the limits that it was called with, where the system has them. The parent
/// watches the rest.
#[cfg(unix)]
fn restrict(task: &Task<'_>) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = |resource, soft: u64, hard: u64| {
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let (current, maximum) = (Some(soft.min(most)), Some(hard.min(most)));
        setrlimit(resource, Rlimit { current, maximum })
    };
    limit(Resource::As, task.memory, task.memory)?;
    // At the first the system says why it ends the process, at the second it would not.
    limit(Resource::Cpu, task.processor_time_s, task.processor_time_s.saturating_add(1))?;
    // It only reads, and what it writes goes through a pipe.
    limit(Resource::Fsize, 0, 0)?;
    limit(Resource::Core, 0, 0)?;
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_: &Task<'_>) -> io::Result<()> {
    Ok(())
}
