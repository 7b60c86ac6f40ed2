//! FLAC in Ogg (RFC 9639, 10.1): one frame per packet, which carries its own position.

use std::collections::VecDeque;

use super::{Mapping, PagePackets, link, malformed};
use crate::decode::containers::flac::frame::{StreamInfo, is_whole};
use crate::decode::demux::{DemuxEvent, Packet};
use crate::decode::downmix::ChannelLayout;
use crate::decode::error::DecodeError;
use crate::decode::report::Container;

/// Bytes before STREAMINFO in the first packet: magic, version, count, `fLaC`, block header.
const PREFIX_BYTES: usize = 17;

/// A FLAC stream.
pub(super) struct OggFlac {
    info: Option<StreamInfo>,
    /// Expected position of the next frame; `None` if unknown.
    position: Option<u64>,
}

impl OggFlac {
    pub(super) fn new() -> OggFlac {
        OggFlac { info: None, position: None }
    }
}

impl Mapping for OggFlac {
    fn page(
        &mut self,
        page: PagePackets,
        events: &mut VecDeque<DemuxEvent>,
    ) -> Result<(), DecodeError> {
        for bytes in page.packets {
            let Some(info) = &self.info else {
                let info = bytes.get(PREFIX_BYTES..).and_then(StreamInfo::parse);
                let info = info.ok_or(malformed("its FLAC header cannot be read"))?;
                // The comments with the channel layout follow after the link has begun.
                let codec = info.codec(Container::Ogg, ChannelLayout::of_count(info.channels))?;
                events.push_back(link(codec, info.rate, info.frames));
                // A file of known length begins at position 0.
                self.position = info.frames.map(|_| 0);
                self.info = Some(info);
                continue;
            };
            // Packets without a frame are metadata blocks, or broken.
            let Some(header) = info.frame(&bytes) else { continue };
            let expected = self.position.unwrap_or(header.position);
            if header.position > expected {
                events.push_back(DemuxEvent::Gap(header.position - expected));
            }
            self.position = Some(header.position + u64::from(header.frames));
            let damaged = !is_whole(&bytes);
            let packet = Packet::whole(bytes, header.frames);
            events.push_back(DemuxEvent::Packet(Packet { damaged, ..packet }));
        }
        Ok(())
    }
}
