//! Limits of decoding.

use super::downmix::MAX_CHANNELS;

/// Limits of decoding, in bytes, frames and counts. Each is checked before the cost is paid.
///
/// Decoding time and the length of the output are not limited here: FLAC compresses silence without
/// bound, so the caller that stores the frames limits them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes searched for the first frame of MPEG audio behind tags: some files have megabytes of padding
    /// there.
    pub probe_bytes: usize,
    /// Channels of a source. There is no downmix matrix for more.
    pub channels: u32,
    /// Bytes of a header that is held in memory as a whole: a Vorbis set-up, one table of an MP4.
    pub header_bytes: usize,
    /// Bytes of one packet. The largest realistic ones are uncompressed FLAC frames of 2 MiB.
    pub packet_bytes: usize,
    /// Frames of silence inserted for missing packets, over the whole upload: a header may state
    /// years.
    pub gap_frames: u64,
    /// Frames of silence in front of audio that begins later than the pictures beside it; 0 if it is not to begin with
    /// silence.
    pub late_start_frames: u64,
    /// Edits of a track in an MP4 file that are followed. Of a longer list, the first one is followed; 1 if only
    /// that is wanted.
    pub edits: usize,
    /// Streams in a chain. Each may need a resampler of its own, tenths of a second of computing for
    /// 48 bytes of upload; 1000 are days of internet radio.
    pub links: u64,
    /// Values in the codebooks of one Vorbis stream. Real streams stay below 200,000.
    pub codebook_values: u64,
}

impl Default for DecodeLimits {
    fn default() -> DecodeLimits {
        DecodeLimits {
            probe_bytes: 4 * 1024 * 1024,
            channels: MAX_CHANNELS,
            header_bytes: 32 * 1024 * 1024,
            packet_bytes: 4 * 1024 * 1024,
            gap_frames: 10 * 60 * 48_000,
            late_start_frames: 10 * 60 * 48_000,
            edits: 4096,
            links: 1000,
            codebook_values: 4 * 1024 * 1024,
        }
    }
}
