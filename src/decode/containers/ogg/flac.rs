//! FLAC in Ogg (RFC 9639, section 10.1): a frame is a packet, and knows its own place.

use std::collections::VecDeque;

use super::{Mapping, PagePackets, broken, link};
use crate::decode::containers::flac::frame::{StreamInfo, is_whole};
use crate::decode::downmix::Layout;
use crate::decode::error::DecodeError;
use crate::decode::packet::{Event, Packet};
use crate::decode::report::Container;

/// Bytes before STREAMINFO in the first packet: magic, version, count, `fLaC`, block header.
const PREFIX_BYTES: usize = 17;

/// A FLAC stream.
pub(super) struct OggFlac {
    info: Option<StreamInfo>,
    /// Where the next frame should lie, if that can be said.
    position: Option<u64>,
}

impl OggFlac {
    pub(super) fn new() -> OggFlac {
        OggFlac { info: None, position: None }
    }
}

impl Mapping for OggFlac {
    fn page(&mut self, page: PagePackets, events: &mut VecDeque<Event>) -> Result<(), DecodeError> {
        for bytes in page.packets {
            let Some(info) = &self.info else {
                let info = bytes.get(PREFIX_BYTES..).and_then(StreamInfo::parse);
                let info = info.ok_or(broken("its FLAC header cannot be read"))?;
                // The comments come behind, where the link has begun.
                let codec = info.codec(Container::Ogg, Layout::of_count(info.channels))?;
                events.push_back(link(codec, info.rate, info.frames));
                // A file of known length begins at its beginning.
                self.position = info.frames.map(|_| 0);
                self.info = Some(info);
                continue;
            };
            // All other packets are header blocks, of which nothing is wanted, or broken.
            let Some(header) = info.frame(&bytes) else { continue };
            let expected = self.position.unwrap_or(header.position);
            if header.position > expected {
                events.push_back(Event::Gap(header.position - expected));
            }
            self.position = Some(header.position + u64::from(header.frames));
            let damaged = !is_whole(&bytes);
            let packet = Packet::whole(bytes, header.frames);
            events.push_back(Event::Packet(Packet { damaged, ..packet }));
        }
        Ok(())
    }
}
