//! The interface between containers and codecs: a [`Demuxer`] turns bytes into packets of known length.

use std::ops::Range;

use super::codecs::Codec;
use super::edits::Edits;
use super::error::DecodeError;
use super::reader::ByteReader;
use super::report::{AudioTrack, Container, DecodeReport};
use crate::audio::Hertz;

/// Splits a container into the packets of its audio stream.
pub(super) trait Demuxer: Send {
    /// The next event. The first one is a link; `None` is final. Bytes that are skipped are counted
    /// in `report`.
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError>;
}

/// An event of a demuxer.
pub(super) enum DemuxEvent {
    /// A stream begins: the only one, or the next of a chain.
    Link(Link),
    /// Coded audio of the current link.
    Packet(Packet),
    /// The audio begins this many frames after the pictures beside it.
    LateStart(u64),
    /// The edits that apply to everything behind this event.
    Edits(Edits),
    /// This many frames of the current link are missing. The codec's state is void, as the next
    /// packet does not follow the last one.
    Gap(u64),
}

/// A stream of one codec, rate and channel layout.
pub(super) struct Link {
    pub(super) container: Container,
    pub(super) codec: Codec,
    pub(super) rate: Hertz,
    /// Exact length without delay and padding, where the headers state it.
    pub(super) frames: Option<u64>,
    pub(super) track: AudioTrack,
}

/// Coded audio of known length.
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    /// Frames that it decodes to.
    pub(super) frames: u32,
    /// Frames that are kept; the rest is the encoder's delay or padding.
    pub(super) kept: Range<u32>,
    /// Its checksum is wrong: it becomes silence instead of being decoded.
    pub(super) damaged: bool,
}

impl Packet {
    /// A packet of which every frame is kept.
    pub(super) fn whole(bytes: Vec<u8>, frames: u32) -> Packet {
        Packet { bytes, frames, kept: 0..frames, damaged: false }
    }
}

/// Removes what an encoder added: the frames of its delay and of its padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trim {
    /// Frames decoded so far.
    position: u64,
    /// Frame at which the audio begins.
    delay: u64,
    /// Frames of padding. Frames behind it are kept again: the frame count in a header may be
    /// outdated, and audio must not be lost because of it.
    padding: Range<u64>,
}

impl Trim {
    pub(super) fn new(delay: u64, padding: Range<u64>) -> Trim {
        Trim { position: 0, delay, padding }
    }

    /// Keeps every frame.
    pub(super) fn none() -> Trim {
        Trim::new(0, u64::MAX..u64::MAX)
    }

    /// Advances by `frames` frames and returns which of them are kept.
    pub(super) fn next(&mut self, frames: u32) -> Range<u32> {
        let from = self.position;
        let to = from + u64::from(frames);
        self.position = to;
        let kept_from = if self.padding.contains(&from) { self.padding.end } else { from };
        let kept_to = if from < self.padding.start { to.min(self.padding.start) } else { to };
        // Both lie within the packet, so that the differences fit its length.
        let index = |position: u64| (position.clamp(from, to) - from) as u32;
        let start = index(kept_from.max(self.delay));
        start..index(kept_to).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(delay: u64, padding: Range<u64>, packets: &[u32], kept: &[Range<u32>]) {
        let mut trim = Trim::new(delay, padding);
        let found: Vec<_> = packets.iter().map(|&frames| trim.next(frames)).collect();
        assert_eq!(found, kept);
    }

    #[test]
    fn delay_and_padding_are_removed() {
        check(0, 100..100, &[50, 50, 50], &[0..50, 0..50, 0..50]);
        check(60, 110..150, &[50, 50, 50], &[50..50, 10..50, 0..10]);
        check(60, 110..150, &[50, 50, 50, 50], &[50..50, 10..50, 0..10, 0..50]);
        check(10, 40..70, &[50, 10, 10, 10], &[10..40, 10..10, 10..10, 0..10]);
        check(10, 20..u64::MAX, &[50, 50], &[10..20, 50..50]);
        check(30, 20..u64::MAX, &[50, 50], &[30..30, 50..50]);
    }
}
