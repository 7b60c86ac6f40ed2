//! Vorbis in Ogg (Vorbis I specification, appendix A).
//!
//! A packet gives half of its own window and half of the one before; the first gives nothing. What
//! a page says of its position settles the rest: on the first page, frames before position 0 are
//! left out; on the last one, those beyond the end; in between, where packets are missing, how
//! much is missing. One and two channels are decoded.

use std::collections::VecDeque;
use std::ops::Range;

use super::setup::{BadSetup, VorbisSetup};
use super::{Mapping, PagePackets, broken, link};
use crate::decode::codecs::Codec;
use crate::decode::error::DecodeError;
use crate::decode::packet::{Event, Packet};
use crate::decode::report::Container;

/// A Vorbis stream.
pub(super) struct Vorbis {
    codebook_values: u64,
    identification: Option<Vec<u8>>,
    setup: Option<VorbisSetup>,
    /// The window of the last packet; `None` if none was or it is lost.
    window: Option<u32>,
    /// Where the last page ended; `None` before the first with sound.
    position: Option<u64>,
}

/// What of a page is heard, counted from its first frame, and how much is missing from it.
struct Span {
    heard: Range<u64>,
    missing: u64,
}

impl Vorbis {
    pub(super) fn new(codebook_values: u64) -> Vorbis {
        Vorbis { codebook_values, identification: None, setup: None, window: None, position: None }
    }

    /// Takes a header; the link begins with the third.
    fn header(&mut self, packet: Vec<u8>) -> Result<Option<Event>, DecodeError> {
        let Some(identification) = self.identification.take() else {
            self.identification = Some(packet);
            return Ok(None);
        };
        // Comments are not wanted.
        if packet.first() == Some(&3) {
            self.identification = Some(identification);
            return Ok(None);
        }
        let setup = VorbisSetup::parse(&identification, &packet, self.codebook_values);
        let setup = setup.map_err(|error| match error {
            BadSetup::Broken => broken("the Vorbis headers cannot be read"),
            BadSetup::TooLarge => DecodeError::TooLarge {
                container: Container::Ogg,
                what: "the Vorbis codebooks in numbers",
                limit: self.codebook_values,
            },
        })?;
        let (channels, rate) = (setup.channels, setup.rate);
        // Symphonia 0.6.1 undoes the coupling of channels in the wrong order, and lets the classes
        // of one channel's residue run into those of the next: more than two channels come out
        // wrong, at 3 to 24 dB of FFmpeg's, and without an error.
        if channels > 2 {
            let codec = format!("Vorbis with {channels} channels");
            return Err(DecodeError::UnsupportedCodec { container: Container::Ogg, codec });
        }
        self.setup = Some(setup);
        let headers = [identification, packet].concat();
        Ok(Some(link(Codec::Vorbis { headers, channels }, rate, None)))
    }

    /// Where a page with `total` frames ends if nothing is missing.
    fn reach(&self, total: u64) -> u64 {
        self.position.unwrap_or(0).saturating_add(total)
    }

    /// Where the `total` frames of a page lie that says it ends at `granule`.
    fn place(&mut self, total: u64, granule: Option<u64>, is_last: bool) -> Span {
        let reached = self.reach(total);
        let end = granule.unwrap_or(reached);
        let is_first = self.position.replace(end).is_none();
        let over = reached.saturating_sub(end).min(total);
        Span {
            heard: match (is_first, is_last) {
                (_, true) => 0..total - over,
                (true, false) => over..total,
                (false, false) => 0..total,
            },
            // A stream that was joined later begins where it begins.
            missing: if is_first { 0 } else { end.saturating_sub(reached) },
        }
    }

    /// The frames that each packet gives; `None` for one that is none.
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
    fn page(&mut self, page: PagePackets, events: &mut VecDeque<Event>) -> Result<(), DecodeError> {
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
        // Numbers of pages may be wrong; that something is missing, positions must show as well.
        let is_after_loss =
            page.is_after_loss && page.granule.is_some_and(|end| end > self.reach(sum(&lengths)));
        if is_after_loss && let Some(Some(first)) = lengths.first_mut() {
            *first = 0;
        }
        let span = self.place(sum(&lengths), page.granule, page.is_last);
        // Where something is missing, silence stands for it, and the codec begins anew.
        let hole = lengths.iter().position(Option::is_none).or(is_after_loss.then_some(0));
        let mut at = 0;
        for (index, (bytes, length)) in packets.into_iter().zip(lengths).enumerate() {
            if Some(index) == hole {
                events.push_back(Event::Gap(span.missing));
            } else if length.is_none() || is_after_loss && index == 0 {
                events.push_back(Event::Gap(0));
            }
            let Some(frames) = length else { continue };
            let end = at + u64::from(frames);
            // Both lie within the packet, so that the differences fit its length.
            let start = (span.heard.start.clamp(at, end) - at) as u32;
            let stop = (span.heard.end.clamp(at, end) - at) as u32;
            let heard = start..stop.max(start);
            events.push_back(Event::Packet(Packet { bytes, frames, heard, damaged: false }));
            at = end;
        }
        Ok(())
    }
}
