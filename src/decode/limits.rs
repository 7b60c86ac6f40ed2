//! What decoding may cost.

use crate::decode::downmix::MOST_CHANNELS;

/// What decoding may cost; each is checked before it is paid.
///
/// Time and the length of the output have no limit here: silence compresses without bound in FLAC,
/// so whoever keeps the frames limits them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes searched for the first MP3 frame, behind tags.
    pub probe_bytes: usize,
    /// Channels of a source: no matrix is known for more.
    pub channels: u32,
    /// Bytes of a header that must be held whole: a Vorbis set-up, one table of an MP4.
    pub header_bytes: usize,
    /// Bytes of one packet. The largest that make sense are uncompressed FLAC frames, 2 MiB.
    pub packet_bytes: usize,
    /// Frames of silence put in for missing packets, in all: a header may claim years.
    pub gap_frames: u64,
    /// Streams one behind the other. Each may have a rate of its own, which takes a resampler of its
    /// own, and that is tenths of a second for 48 bytes; this is days of internet radio.
    pub links: u64,
    /// Numbers in the codebooks of one Vorbis stream; real ones stay below 200,000.
    pub codebook_values: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            probe_bytes: 64 * 1024,
            channels: MOST_CHANNELS,
            header_bytes: 32 * 1024 * 1024,
            packet_bytes: 4 * 1024 * 1024,
            gap_frames: 10 * 60 * 48_000,
            links: 1000,
            codebook_values: 4 * 1024 * 1024,
        }
    }
}
