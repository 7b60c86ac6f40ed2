//! Vorbis in Ogg (Vorbis I specification, appendix A).
//!
//! A packet yields half of its own window and half of the previous one; the first yields nothing.
//! The positions of pages determine the rest: frames before position 0 on the first page and beyond
//! the end on the last one are removed, and missing packets become silence of their length.

use std::collections::VecDeque;

use super::position::PagePosition;
use super::setup::VorbisSetup;
use super::{Mapping, PagePackets, link};
use crate::decode::codecs::Codec;
use crate::decode::demux::{DemuxEvent, Packet};
use crate::decode::error::DecodeError;
use crate::decode::report::Container;

/// A Vorbis stream.
pub(super) struct Vorbis {
    codebook_values: u64,
    identification: Option<Vec<u8>>,
    setup: Option<VorbisSetup>,
    /// Window of the last packet in frames; `None` before the first and after a loss.
    window: Option<u32>,
    position: PagePosition,
}

impl Vorbis {
    pub(super) fn new(codebook_values: u64) -> Vorbis {
        Vorbis {
            codebook_values,
            identification: None,
            setup: None,
            window: None,
            position: PagePosition::default(),
        }
    }

    /// Processes a header packet; the third one begins the link.
    fn header(&mut self, packet: Vec<u8>) -> Result<Option<DemuxEvent>, DecodeError> {
        let Some(identification) = self.identification.take() else {
            self.identification = Some(packet);
            return Ok(None);
        };
        // Comments are skipped.
        if packet.first() == Some(&3) {
            self.identification = Some(identification);
            return Ok(None);
        }
        let setup = VorbisSetup::parse(&identification, &packet, self.codebook_values);
        let setup =
            setup.map_err(|error| error.in_container(Container::Ogg, self.codebook_values))?;
        let (channels, rate) = (setup.channels, setup.rate);
        self.setup = Some(setup);
        let headers = [identification, packet].concat();
        Ok(Some(link(Codec::Vorbis { headers, channels }, rate, None)))
    }

    /// Frames that each packet yields; `None` for packets without audio.
    fn lengths(&mut self, setup: &VorbisSetup, packets: &[Vec<u8>]) -> Vec<Option<u32>> {
        let mut lengths = Vec::new();
        for packet in packets {
            let window = setup.window(packet);
            let before = std::mem::replace(&mut self.window, window);
            lengths.push(window.map(|window| before.map_or(0, |before| (before + window) / 4)));
        }
        lengths
    }
}

impl Mapping for Vorbis {
    fn page(
        &mut self,
        page: PagePackets,
        events: &mut VecDeque<DemuxEvent>,
    ) -> Result<(), DecodeError> {
        let mut packets = page.packets;
        while self.setup.is_none() && !packets.is_empty() {
            events.extend(self.header(packets.remove(0))?);
        }
        let Some(setup) = self.setup.clone() else { return Ok(()) };
        if packets.is_empty() {
            return Ok(());
        }
        let mut lengths = self.lengths(&setup, &packets);
        let sum = |lengths: &[Option<u32>]| lengths.iter().flatten().map(|&l| u64::from(l)).sum();
        // Page numbers may be wrong: a loss counts only if the positions show it too.
        let is_after_loss = page.is_after_loss
            && page.granule.is_some_and(|end| end > self.position.reach(sum(&lengths)));
        if is_after_loss && let Some(Some(first)) = lengths.first_mut() {
            *first = 0;
        }
        let span = self.position.advance(sum(&lengths), page.granule, page.is_last);
        // After a loss the codec starts again behind the silence.
        let hole = lengths.iter().position(Option::is_none).or(is_after_loss.then_some(0));
        let mut at = 0;
        for (index, (bytes, length)) in packets.into_iter().zip(lengths).enumerate() {
            if Some(index) == hole {
                events.push_back(DemuxEvent::Gap(span.missing));
            } else if length.is_none() || is_after_loss && index == 0 {
                events.push_back(DemuxEvent::Gap(0));
            }
            let Some(frames) = length else { continue };
            let end = at + u64::from(frames);
            let kept = span.kept_of(at, frames);
            events.push_back(DemuxEvent::Packet(Packet { bytes, frames, kept, damaged: false }));
            at = end;
        }
        Ok(())
    }
}
