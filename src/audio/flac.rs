//! FLAC files, written block by block: nothing of a long stem is held.

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

/// The highest rate that the encoder takes.
pub const HIGHEST: Hertz = Hertz(96_000);

/// Frames of a block, all but the last.
const BLOCK: usize = 4096;

/// Bytes of one frame of the samples that are packed: 24-bit stereo.
const FRAME_BYTES: usize = Stereo::CHANNELS * Encoding::S24Le.bytes_per_sample();

/// A stereo FLAC file of 24 bits that is being written.
pub struct FlacFile {
    file: BufWriter<File>,
    config: Verified<Encoder>,
    /// Predicts nothing.
    plain: Verified<Encoder>,
    info: StreamInfo,
    context: Context,
    /// Bytes that do not fill a block yet.
    waiting: Vec<u8>,
    blocks: usize,
}

impl FlacFile {
    /// Starts a file; one that is there is replaced.
    ///
    /// # Errors
    /// What the disk says; `InvalidInput` for a rate above [`HIGHEST`].
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
        let waiting = Vec::with_capacity(BLOCK * FRAME_BYTES);
        let mut flac = FlacFile { file, config, plain, info, context, waiting, blocks: 0 };
        flac.write_head()?;
        Ok(flac)
    }

    /// Adds whole frames of [`Encoding::S24Le`].
    ///
    /// # Errors
    /// What the disk says.
    pub fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        debug_assert_eq!(bytes.len() % FRAME_BYTES, 0);
        while !bytes.is_empty() {
            let room = BLOCK * FRAME_BYTES - self.waiting.len();
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            self.waiting.extend_from_slice(taken);
            bytes = rest;
            if self.waiting.len() == BLOCK * FRAME_BYTES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and in front what is known only now: lengths and the samples' MD5.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.write_block()?;
        }
        self.info.set_total_samples(self.context.total_samples());
        self.info.set_md5_digest(&self.context.md5_digest());
        self.file.seek(SeekFrom::Start(0))?;
        self.write_head()?;
        self.file.into_inner()?.sync_all()
    }

    fn write_block(&mut self) -> io::Result<()> {
        let bytes = Encoding::S24Le.bytes_per_sample();
        let frames = self.waiting.len() / FRAME_BYTES;
        let mut block = FrameBuf::with_size(Stereo::CHANNELS, BLOCK).map_err(invalid)?;
        block.fill_le_bytes(&self.waiting, bytes).map_err(invalid)?;
        self.context.fill_le_bytes(&self.waiting, bytes).map_err(invalid)?;
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
        self.waiting.clear();
        Ok(())
    }

    fn write_head(&mut self) -> io::Result<()> {
        let mut info = self.info.clone();
        // How long the shortest and the longest block are is not told: 0 means unknown.
        info.set_frame_sizes(0, 0).map_err(invalid)?;
        let mut sink = ByteSink::new();
        Stream::with_stream_info(info).write(&mut sink).map_err(invalid)?;
        self.file.write_all(sink.as_slice())
    }
}

/// Whether a block's residuals take no more room than its samples do. The encoder adds up their lengths in
/// 32 bits, so that a block of silence and sudden noise may look short to it and be hundreds of megabytes.
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

/// The bits that the higher parts of a residual's numbers take, one for each unit.
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
