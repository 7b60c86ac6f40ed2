//! Writes FLAC files block by block, in constant memory.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Frame, Residual, Stream, StreamInfo, SubFrame};
use flacenc::config::Encoder;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::{Encoding, Hertz, Stereo};

/// Highest sample rate that the encoder supports.
pub const HIGHEST: Hertz = Hertz(96_000);

/// Frames of every block but the last.
const BLOCK: usize = 4096;

/// Bytes of one frame of 24-bit stereo.
const FRAME_BYTES: usize = Stereo::CHANNELS * Encoding::S24Le.bytes_per_sample();

/// A stereo FLAC file of 24 bits that is being written. [`finish`](FlacFile::finish) completes it.
pub struct FlacFile {
    file: BufWriter<File>,
    config: Verified<Encoder>,
    /// Settings without prediction.
    plain: Verified<Encoder>,
    info: StreamInfo,
    context: Context,
    /// Frames that do not fill a block yet.
    pending: Vec<u8>,
    blocks: usize,
}

impl FlacFile {
    /// Creates a file, replacing an existing one.
    ///
    /// # Errors
    /// I/O errors; `InvalidInput` for a rate above [`HIGHEST`].
    pub fn create(path: &Path, rate: Hertz) -> io::Result<FlacFile> {
        let bits = 8 * Encoding::S24Le.bytes_per_sample();
        let mut info = StreamInfo::new(rate.0 as usize, Stereo::CHANNELS, bits).map_err(invalid)?;
        info.set_block_sizes(BLOCK, BLOCK).map_err(invalid)?;
        let config = Encoder::default().into_verified().map_err(|(_, error)| invalid(error))?;
        let mut plain = Encoder::default();
        plain.subframe_coding.use_fixed = false;
        plain.subframe_coding.use_lpc = false;
        let plain = plain.into_verified().map_err(|(_, error)| invalid(error))?;
        let context = Context::new(bits, Stereo::CHANNELS);
        let file = BufWriter::new(File::create(path)?);
        let pending = Vec::with_capacity(BLOCK * FRAME_BYTES);
        let mut flac = FlacFile { file, config, plain, info, context, pending, blocks: 0 };
        flac.write_header()?;
        Ok(flac)
    }

    /// Appends whole frames of [`Encoding::S24Le`].
    ///
    /// # Errors
    /// I/O errors.
    pub fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        debug_assert_eq!(bytes.len() % FRAME_BYTES, 0);
        while !bytes.is_empty() {
            let missing = BLOCK * FRAME_BYTES - self.pending.len();
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            self.pending.extend_from_slice(taken);
            bytes = rest;
            if self.pending.len() == BLOCK * FRAME_BYTES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Writes the last block, then the header with the length and the MD5 of the samples, and
    /// syncs the file.
    ///
    /// # Errors
    /// I/O errors.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.write_block()?;
        }
        self.info.set_total_samples(self.context.total_samples());
        self.info.set_md5_digest(&self.context.md5_digest());
        self.file.seek(SeekFrom::Start(0))?;
        self.write_header()?;
        self.file.into_inner()?.sync_all()
    }

    fn write_block(&mut self) -> io::Result<()> {
        let bytes = Encoding::S24Le.bytes_per_sample();
        let frames = self.pending.len() / FRAME_BYTES;
        let mut block = FrameBuf::with_size(Stereo::CHANNELS, BLOCK).map_err(invalid)?;
        block.fill_le_bytes(&self.pending, bytes).map_err(invalid)?;
        self.context.fill_le_bytes(&self.pending, bytes).map_err(invalid)?;
        debug_assert_eq!(block.filled_size(), frames);
        let encode = |config| encode_fixed_size_frame(config, &block, self.blocks, &self.info);
        let mut frame = encode(&self.config).map_err(invalid)?;
        if !is_small(&frame, frames) {
            frame = encode(&self.plain).map_err(invalid)?;
        }
        let mut sink = ByteSink::new();
        frame.write(&mut sink).map_err(invalid)?;
        self.file.write_all(sink.as_slice())?;
        self.blocks += 1;
        self.pending.clear();
        Ok(())
    }

    fn write_header(&mut self) -> io::Result<()> {
        let mut info = self.info.clone();
        // Sizes of the smallest and largest frame: 0 means unknown.
        info.set_frame_sizes(0, 0).map_err(invalid)?;
        let mut sink = ByteSink::new();
        Stream::with_stream_info(info).write(&mut sink).map_err(invalid)?;
        self.file.write_all(sink.as_slice())
    }
}

/// Whether a block's residuals take at most as many bits as its samples. The encoder sums their
/// lengths in 32 bits: a block of silence and sudden noise can overflow it and take hundreds of
/// megabytes.
fn is_small(frame: &Frame, frames: usize) -> bool {
    let channels = (0..Stereo::CHANNELS).filter_map(|channel| frame.subframe(channel));
    let residuals = channels.filter_map(|subframe| match subframe {
        SubFrame::FixedLpc(fixed) => Some(fixed.residual()),
        SubFrame::Lpc(predicted) => Some(predicted.residual()),
        SubFrame::Constant(_) | SubFrame::Verbatim(_) => None,
    });
    residuals.map(|residual| unary_bits(residual, frames)).sum::<u64>()
        <= (8 * frames * FRAME_BYTES) as u64
}

/// Bits of the unary parts of a residual's Rice codes.
fn unary_bits(residual: &Residual, frames: usize) -> u64 {
    let part = (frames >> residual.partition_order()).max(1);
    let bits = |index: usize| {
        let number = residual.residual(index);
        let folded = ((number << 1) ^ (number >> 31)) as u32;
        u64::from(folded >> residual.rice_parameter(index / part))
    };
    (0..frames).map(bits).sum()
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
}
