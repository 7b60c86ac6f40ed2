//! What every container comes down to: streams of packets whose lengths are known beforehand.

use std::ops::Range;

use super::bytes::Bytes;
use super::codec::Codec;
use super::error::DecodeError;
use super::report::{Container, Report};
use crate::audio::Hertz;

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
