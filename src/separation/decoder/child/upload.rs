//! The bytes of the upload: a file that grows, or a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::connection::FromParent;
use super::super::protocol::{DecoderMessage, UploadLength};
use super::output::BlockOutput;
use crate::decode::ReadAt;

/// The upload's file, as far as the parent has reported it.
pub(super) struct GrowingFile {
    pub(super) file: File,
    pub(super) lengths: FromParent,
    pub(super) length: UploadLength,
    /// The bytes of `length`, for the reader of tags.
    pub(super) shown: Arc<AtomicU64>,
    pub(super) output: BlockOutput,
}

impl ReadAt for GrowingFile {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        while offset >= self.length.bytes && !self.length.complete {
            self.wait()?;
        }
        let count = self.length.bytes.saturating_sub(offset).min(into.len() as u64) as usize;
        if count == 0 {
            return Ok(0);
        }
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read(&mut into[..count])
    }
}

impl GrowingFile {
    /// Waits for the parent's next length, after everything decoded so far has been sent.
    fn wait(&mut self) -> io::Result<()> {
        self.output.send(&DecoderMessage::Waiting(self.length))?;
        self.output.flush()?;
        self.length = UploadLength::receive(&mut self.lengths)?;
        self.shown.store(self.length.bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// The output of another decoder, which can be read forwards only.
pub(super) struct Pipe {
    pub(super) pipe: File,
    /// Bytes that have been read.
    pub(super) position: u64,
}

impl ReadAt for Pipe {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let Some(skipped) = offset.checked_sub(self.position) else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a pipe is read forwards only"));
        };
        self.position += discard(&mut (&mut self.pipe).take(skipped))?;
        if self.position < offset {
            return Ok(0);
        }
        let count = self.pipe.read(into)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Reads up to the end; returns how many bytes. It calls nothing but `read`, which is all that the sandbox allows.
pub(super) fn discard(from: &mut impl Read) -> io::Result<u64> {
    let (mut block, mut bytes) = ([0; 64 << 10], 0);
    loop {
        match from.read(&mut block)? {
            0 => return Ok(bytes),
            count => bytes += count as u64,
        }
    }
}
