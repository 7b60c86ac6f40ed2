//! Samples as files without loss store them.

use super::FileSpec;
use crate::audio::{Encoding, Stereo};

/// Converts blocks to the samples of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SampleWriter {
    encoding: Encoding,
    channels: usize,
}

impl SampleWriter {
    /// Samples of this encoding, of one or two channels.
    pub(super) fn new(encoding: Encoding, channels: usize) -> SampleWriter {
        SampleWriter { encoding, channels }
    }

    /// Those of a file.
    pub(super) fn of(spec: &FileSpec) -> SampleWriter {
        SampleWriter::new(spec.format.encoding(), spec.channels)
    }

    /// How a sample is stored.
    pub(super) fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Channels of the file.
    pub(super) fn channels(self) -> usize {
        self.channels
    }

    /// Bytes of one frame.
    pub(super) fn frame_bytes(self) -> usize {
        self.channels * self.encoding.bytes_per_sample()
    }

    /// Appends the frames of a block, little-endian and interleaved. Returns how many samples were clipped.
    pub(super) fn write(self, block: &Stereo, bytes: &mut Vec<u8>) -> u64 {
        match self.channels {
            1 => self.encoding.write(block.mono(), bytes),
            _ => self.encoding.write_frames(block, bytes),
        }
    }
}

/// How many samples of a block exceed full scale, at which players clip, in a file of so many channels.
pub(super) fn beyond_full_scale(block: &Stereo, channels: usize) -> u64 {
    let count = |samples: &mut dyn Iterator<Item = f32>| {
        // A NaN is neither.
        samples.filter(|sample| !(-1.0..=1.0).contains(sample)).count() as u64
    };
    match channels {
        1 => count(&mut block.mono()),
        _ => count(&mut block.interleaved()),
    }
}

/// A sample that an encoder can work with: silence in place of what is no number.
pub(super) fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}
