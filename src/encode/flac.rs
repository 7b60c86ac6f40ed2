//! FLAC files, written block by block, in constant memory.

use std::io::{self, Write};

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Frame, Residual, Stream, StreamInfo, SubFrame};
use flacenc::config::Encoder;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::samples::SampleWriter;
use super::tags::flac_blocks;
use super::{Encode, EncodeError, FileSpec, Output};
use crate::audio::{FileFormat, Frames, Hertz, Stereo};

/// Highest sample rate that the encoder supports.
pub const HIGHEST: Hertz = Hertz(96_000);

/// Bytes of `fLaC`, which the first metadata block follows.
const MAGIC_BYTES: usize = 4;

/// Marks the last metadata block, in its first byte.
const LAST: u8 = 0x80;

/// Frames of every block but the last.
const BLOCK: usize = 4096;

/// Refuses rates above [`HIGHEST`].
pub(super) fn check(format: FileFormat, rate: Hertz) -> Result<(), EncodeError> {
    if rate > HIGHEST {
        let problem = format!("{rate} exceeds the limit of {HIGHEST}; use wav-s24");
        return Err(EncodeError::Unsupported { format, problem });
    }
    Ok(())
}

/// A FLAC file of 16 or 24 bits that is being written.
pub(super) struct FlacEncoder {
    output: Output,
    samples: SampleWriter,
    config: Verified<Encoder>,
    /// Settings without prediction.
    plain: Verified<Encoder>,
    info: StreamInfo,
    context: Context,
    expected: Frames,
    /// Whether metadata blocks follow the first one.
    has_tags: bool,
    /// Frames that do not fill a block yet.
    pending: Vec<u8>,
    blocks: usize,
}

impl FlacEncoder {
    /// Writes the header. In a file, it gets the MD5 of the samples at the end.
    pub(super) fn start(spec: &FileSpec, output: Output) -> Result<FlacEncoder, EncodeError> {
        check(spec.format, spec.rate)?;
        let samples = SampleWriter::of(spec);
        let (channels, bits) = (samples.channels(), 8 * samples.encoding().bytes_per_sample());
        let mut info = StreamInfo::new(spec.rate.0 as usize, channels, bits).map_err(invalid)?;
        info.set_block_sizes(BLOCK, BLOCK).map_err(invalid)?;
        info.set_total_samples(spec.frames.as_len());
        let config = Encoder::default().into_verified().map_err(|(_, error)| invalid(error))?;
        let mut plain = Encoder::default();
        plain.subframe_coding.use_fixed = false;
        plain.subframe_coding.use_lpc = false;
        let plain = plain.into_verified().map_err(|(_, error)| invalid(error))?;
        let context = Context::new(bits, channels);
        let pending = Vec::with_capacity(BLOCK * samples.frame_bytes());
        let (expected, blocks) = (spec.frames, 0);
        let mut flac = FlacEncoder {
            output,
            samples,
            config,
            plain,
            info,
            context,
            expected,
            has_tags: spec.tags.is_some(),
            pending,
            blocks,
        };
        let header = flac.header()?;
        flac.output.write_all(&header)?;
        if let Some(tags) = &spec.tags {
            flac.output.write_all(&flac_blocks(tags))?;
        }
        Ok(flac)
    }

    /// Encodes the pending frames, at most a block.
    fn write_block(&mut self) -> io::Result<()> {
        let (channels, bytes) =
            (self.samples.channels(), self.samples.encoding().bytes_per_sample());
        let frames = self.pending.len() / self.samples.frame_bytes();
        let mut block = FrameBuf::with_size(channels, BLOCK).map_err(invalid)?;
        block.fill_le_bytes(&self.pending, bytes).map_err(invalid)?;
        self.context.fill_le_bytes(&self.pending, bytes).map_err(invalid)?;
        debug_assert_eq!(block.filled_size(), frames);
        let encode = |config| encode_fixed_size_frame(config, &block, self.blocks, &self.info);
        let mut frame = encode(&self.config).map_err(invalid)?;
        if !is_small(&frame, frames, self.samples) {
            frame = encode(&self.plain).map_err(invalid)?;
        }
        let mut sink = ByteSink::new();
        frame.write(&mut sink).map_err(invalid)?;
        self.output.write_all(sink.as_slice())?;
        self.blocks += 1;
        self.pending.clear();
        Ok(())
    }

    fn header(&self) -> io::Result<Vec<u8>> {
        let mut info = self.info.clone();
        // Sizes of the smallest and largest frame: 0 means unknown.
        info.set_frame_sizes(0, 0).map_err(invalid)?;
        let mut sink = ByteSink::new();
        Stream::with_stream_info(info).write(&mut sink).map_err(invalid)?;
        let mut header = sink.as_slice().to_vec();
        if self.has_tags
            && let Some(kind) = header.get_mut(MAGIC_BYTES)
        {
            // More blocks follow.
            *kind &= !LAST;
        }
        Ok(header)
    }
}

impl Encode for FlacEncoder {
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError> {
        let mut clipped = 0;
        let mut at = 0;
        while at < block.len() {
            let missing = BLOCK - self.pending.len() / self.samples.frame_bytes();
            let end = block.len().min(at + missing);
            clipped += self.samples.write(&block.slice(at..end), &mut self.pending);
            at = end;
            if self.pending.len() == BLOCK * self.samples.frame_bytes() {
                self.write_block()?;
            }
        }
        Ok(clipped)
    }

    fn finish(mut self: Box<Self>) -> Result<(), EncodeError> {
        if !self.pending.is_empty() {
            self.write_block()?;
        }
        let written = Frames::from_len(self.context.total_samples());
        if written != self.expected {
            return Err(EncodeError::Length { written, expected: self.expected });
        }
        self.info.set_md5_digest(&self.context.md5_digest());
        let header = self.header()?;
        self.output.rewrite(0, &header)?;
        Ok(self.output.finish()?)
    }
}

/// Whether a block's residuals take at most as many bits as its samples. The encoder sums their
/// lengths in 32 bits: a block of silence and sudden noise can overflow it and take hundreds of
/// megabytes.
fn is_small(frame: &Frame, frames: usize, samples: SampleWriter) -> bool {
    let channels = (0..samples.channels()).filter_map(|channel| frame.subframe(channel));
    let residuals = channels.filter_map(|subframe| match subframe {
        SubFrame::FixedLpc(fixed) => Some(fixed.residual()),
        SubFrame::Lpc(predicted) => Some(predicted.residual()),
        SubFrame::Constant(_) | SubFrame::Verbatim(_) => None,
    });
    residuals.map(|residual| unary_bits(residual, frames)).sum::<u64>()
        <= (8 * frames * samples.frame_bytes()) as u64
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
