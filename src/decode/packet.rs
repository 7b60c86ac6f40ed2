//! What every container comes down to: streams of packets whose lengths are known beforehand.

use std::ops::Range;

use super::bytes::Bytes;
use super::error::DecodeError;
use super::report::{Container, Report};
use crate::audio::Hertz;
use crate::decode::codecs::Codec;

/// Takes a container apart.
pub(super) trait Demux: Send {
    /// What comes next; the first event is a link, and `None` is the end for good.
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError>;
}

/// What is found in a container.
pub(super) enum Event {
    /// A stream begins: the only one, or the next of a chain.
    Link(Link),
    /// Coded audio of the current link.
    Packet(Packet),
    /// So many frames of the current link are missing here; what the codec remembers of the packets
    /// before is void.
    Gap(u64),
}

/// A stream of one codec, rate and layout.
pub(super) struct Link {
    pub(super) container: Container,
    pub(super) codec: Codec,
    pub(super) rate: Hertz,
    /// Its length where the header tells it to the frame, delay and padding left out.
    pub(super) frames: Option<u64>,
}

/// Coded audio, and what it is worth.
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    /// The frames that it decodes to.
    pub(super) frames: u32,
    /// Those of them that are heard.
    pub(super) heard: Range<u32>,
    /// Its checksum is wrong: it is not decoded, but becomes silence.
    pub(super) damaged: bool,
}

impl Packet {
    /// A packet of which every frame is heard.
    pub(super) fn whole(bytes: Vec<u8>, frames: u32) -> Packet {
        Packet { bytes, frames, heard: 0..frames, damaged: false }
    }
}

/// Leaves out what an encoder added: the frames of its delay, and those of its padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trim {
    /// Frames decoded so far.
    position: u64,
    /// Where the audio begins.
    delay: u64,
    /// What is left out behind it. Frames behind the padding are heard again: a count of frames in
    /// a header may be outdated, and audio is not thrown away on its word.
    padding: Range<u64>,
}

impl Trim {
    pub(super) fn new(delay: u64, padding: Range<u64>) -> Trim {
        Trim { position: 0, delay, padding }
    }

    /// Every frame is heard.
    pub(super) fn none() -> Trim {
        Trim::new(0, u64::MAX..u64::MAX)
    }

    /// Which of the next `frames` frames are heard.
    pub(super) fn next(&mut self, frames: u32) -> Range<u32> {
        let from = self.position;
        let to = from + u64::from(frames);
        self.position = to;
        let heard_from = if self.padding.contains(&from) { self.padding.end } else { from };
        let heard_to = if from < self.padding.start { to.min(self.padding.start) } else { to };
        // Both lie within the packet, so that the differences fit its length.
        let index = |position: u64| (position.clamp(from, to) - from) as u32;
        let start = index(heard_from.max(self.delay));
        start..index(heard_to).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(delay: u64, padding: Range<u64>, packets: &[u32], heard: &[Range<u32>]) {
        let mut trim = Trim::new(delay, padding);
        let found: Vec<_> = packets.iter().map(|&frames| trim.next(frames)).collect();
        assert_eq!(found, heard);
    }

    #[test]
    fn delay_and_padding_are_left_out() {
        check(0, 100..100, &[50, 50, 50], &[0..50, 0..50, 0..50]);
        check(60, 110..150, &[50, 50, 50], &[50..50, 10..50, 0..10]);
        check(60, 110..150, &[50, 50, 50, 50], &[50..50, 10..50, 0..10, 0..50]);
        check(10, 40..70, &[50, 10, 10, 10], &[10..40, 10..10, 10..10, 0..10]);
        check(10, 20..u64::MAX, &[50, 50], &[10..20, 50..50]);
        check(30, 20..u64::MAX, &[50, 50], &[30..30, 50..50]);
    }
}
