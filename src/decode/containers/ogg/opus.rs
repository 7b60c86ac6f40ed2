//! Opus in Ogg (RFC 7845).
//!
//! The header states how many frames in front of the audio are removed, the position of the last page
//! how many behind it. Missing packets become silence of their length.

use std::collections::VecDeque;

use super::position::PagePosition;
use super::{Mapping, PagePackets, link, malformed, unsupported};
use crate::decode::codecs::Codec;
use crate::decode::codecs::opus::{self, OPUS_RATE, OpusHead};
use crate::decode::demux::{DemuxEvent, Packet, Trim};
use crate::decode::error::DecodeError;

/// An Opus stream.
pub(super) struct Opus {
    /// Removes the delay; `None` before the first header.
    trim: Option<Trim>,
    has_comments: bool,
    position: PagePosition,
}

impl Opus {
    pub(super) fn new() -> Opus {
        Opus { trim: None, has_comments: false, position: PagePosition::default() }
    }

    /// Begins the link with the first packet.
    fn header(&mut self, packet: &[u8]) -> Result<DemuxEvent, DecodeError> {
        let head = OpusHead::parse(packet).ok_or(malformed("its Opus header cannot be read"))?;
        if let Some(codec) = head.unsupported() {
            return Err(unsupported(codec));
        }
        self.trim = Some(Trim::new(head.pre_skip.into(), u64::MAX..u64::MAX));
        Ok(link(Codec::Opus(head), OPUS_RATE, None))
    }
}

impl Mapping for Opus {
    fn page(
        &mut self,
        page: PagePackets,
        events: &mut VecDeque<DemuxEvent>,
    ) -> Result<(), DecodeError> {
        let mut packets = page.packets.into_iter();
        if self.trim.is_none()
            && let Some(packet) = packets.next()
        {
            events.push_back(self.header(&packet)?);
        }
        // The comments are a packet, which may be lost.
        let mut packets: Vec<Vec<u8>> = packets.collect();
        if !self.has_comments && !packets.is_empty() {
            self.has_comments = true;
            if packets[0].starts_with(b"OpusTags") {
                packets.remove(0);
            }
        }
        let Some(trim) = self.trim.as_mut().filter(|_| !packets.is_empty()) else { return Ok(()) };
        let lengths: Vec<u32> =
            packets.iter().map(|packet| opus::frames(packet).unwrap_or(0)).collect();
        let total = lengths.iter().copied().map(u64::from).sum();
        // Page numbers may be wrong: a loss counts only if the positions show it too.
        let is_after_loss =
            page.is_after_loss && page.granule.is_some_and(|end| end > self.position.reach(total));
        let span = self.position.advance(total, page.granule, page.is_last);
        if is_after_loss {
            let missing = trim.next(u32::try_from(span.missing).unwrap_or(u32::MAX));
            events.push_back(DemuxEvent::Gap(missing.len() as u64));
        }
        let mut at = 0;
        for (bytes, frames) in packets.into_iter().zip(lengths) {
            let (page, delay) = (span.kept_of(at, frames), trim.next(frames));
            at += u64::from(frames);
            let start = page.start.max(delay.start);
            let kept = start..page.end.min(delay.end).max(start);
            if frames > 0 {
                events.push_back(DemuxEvent::Packet(Packet {
                    bytes,
                    frames,
                    kept,
                    damaged: false,
                }));
            }
        }
        Ok(())
    }
}
