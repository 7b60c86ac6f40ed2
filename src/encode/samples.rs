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
    /// That of a file.
    pub(super) fn of(spec: &FileSpec) -> SampleWriter {
        SampleWriter { encoding: spec.format.encoding(), channels: spec.channels }
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
