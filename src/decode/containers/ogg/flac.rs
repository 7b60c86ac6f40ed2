//! FLAC in Ogg (RFC 9639, 10.1): one frame per packet, which carries its own position.
//! What is missing between two frames becomes silence where a page or a frame is lost.

use std::collections::VecDeque;

use super::{Mapping, PagePackets, link, malformed};
use crate::decode::containers::flac::frame::{self, StreamInfo, is_whole};
use crate::decode::demux::{DemuxEvent, Packet};
use crate::decode::downmix::ChannelLayout;
use crate::decode::error::DecodeError;
use crate::decode::report::Container;

/// Bytes before STREAMINFO in the first packet: magic, version, count, `fLaC`, block header.
const PREFIX_BYTES: usize = 17;
/// The metadata block with the comments.
const COMMENTS: u8 = 4;

/// A FLAC stream.
pub(super) struct OggFlac {
    info: Option<StreamInfo>,
    /// The content of the comments, which may state the channel layout.
    comments: Vec<u8>,
    has_begun: bool,
    /// Expected position of the next frame.
    position: u64,
    /// A page or a frame was lost since the last whole frame.
    is_after_loss: bool,
}

impl OggFlac {
    pub(super) fn new() -> OggFlac {
        OggFlac {
            info: None,
            comments: Vec::new(),
            has_begun: false,
            position: 0,
            is_after_loss: false,
        }
    }

    /// Begins the link with its first frame, which is its start: a stream that was cut keeps the
    /// positions and the length of the whole.
    fn begin(&mut self, info: &StreamInfo, first: u64) -> Result<DemuxEvent, DecodeError> {
        let is_cut = first > 0 && !self.is_after_loss;
        // A stream of known length begins at position 0.
        self.position = if is_cut || info.frames.is_none() { first } else { 0 };
        self.has_begun = true;
        let layout = frame::layout(&self.comments, info.channels);
        let codec = info.codec(Container::Ogg, layout)?;
        Ok(link(codec, info.rate, info.frames.filter(|_| !is_cut)))
    }
}

impl Mapping for OggFlac {
    fn page(
        &mut self,
        page: PagePackets,
        events: &mut VecDeque<DemuxEvent>,
    ) -> Result<(), DecodeError> {
        self.is_after_loss |= page.is_after_loss;
        for bytes in page.packets {
            let Some(info) = self.info.clone() else {
                let info = bytes.get(PREFIX_BYTES..).and_then(StreamInfo::parse);
                let info = info.ok_or(malformed("its FLAC header cannot be read"))?;
                info.codec(Container::Ogg, ChannelLayout::of_count(info.channels))?;
                self.info = Some(info);
                continue;
            };
            let Some(header) = info.frame(&bytes) else {
                // Packets without a frame are metadata blocks, or broken.
                if bytes.first().is_some_and(|kind| kind & 0x7f == COMMENTS) {
                    self.comments = bytes;
                }
                continue;
            };
            if !self.has_begun {
                events.push_back(self.begin(&info, header.position)?);
            }
            if self.is_after_loss && header.position > self.position {
                events.push_back(DemuxEvent::Gap(header.position - self.position));
            }
            self.position = header.position + u64::from(header.frames);
            let damaged = !is_whole(&bytes);
            self.is_after_loss = damaged;
            let packet = Packet::whole(bytes, header.frames);
            events.push_back(DemuxEvent::Packet(Packet { damaged, ..packet }));
        }
        Ok(())
    }
}
