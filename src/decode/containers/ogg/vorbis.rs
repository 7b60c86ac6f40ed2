//! Vorbis in Ogg (Vorbis I specification, appendix A).
//!
//! A packet yields half of its own window and half of the previous one; the first yields nothing.
//! The positions of pages determine the rest: frames before position 0 on the first page and beyond
//! the end on the last one are removed, and missing packets become silence of their length. One and
//! two channels are supported.

use std::collections::VecDeque;
use std::ops::Range;

use super::setup::{SetupError, VorbisSetup};
use super::{Mapping, PagePackets, link, malformed};
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
    /// End position of the last page; `None` before the first with audio.
    position: Option<u64>,
}

/// Extent of a page in frames.
struct PageSpan {
    /// The frames that are kept, counted from the page's first.
    kept: Range<u64>,
    /// Frames missing in front of or within the page.
    missing: u64,
}

impl Vorbis {
    pub(super) fn new(codebook_values: u64) -> Vorbis {
        Vorbis { codebook_values, identification: None, setup: None, window: None, position: None }
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
        let setup = setup.map_err(|error| match error {
            SetupError::Broken => malformed("the Vorbis headers cannot be read"),
            SetupError::TooLarge => DecodeError::TooLarge {
                container: Container::Ogg,
                what: "values in the Vorbis codebooks",
                limit: self.codebook_values,
            },
        })?;
        let (channels, rate) = (setup.channels, setup.rate);
        // Symphonia 0.6.1 decouples channels in the wrong order and mixes up the residue classes of
        // neighbouring channels: more than two channels are decoded wrongly (3 to 24 dB SNR against
        // FFmpeg) without an error.
        if channels > 2 {
            let codec = format!("Vorbis with {channels} channels");
            return Err(DecodeError::UnsupportedCodec { container: Container::Ogg, codec });
        }
        self.setup = Some(setup);
        let headers = [identification, packet].concat();
        Ok(Some(link(Codec::Vorbis { headers, channels }, rate, None)))
    }

    /// End position of a page with `total` frames if nothing is missing.
    fn reach(&self, total: u64) -> u64 {
        self.position.unwrap_or(0).saturating_add(total)
    }

    /// Determines the extent of a page with `total` frames that ends at `granule`, and advances the
    /// position behind it.
    fn span(&mut self, total: u64, granule: Option<u64>, is_last: bool) -> PageSpan {
        let reached = self.reach(total);
        let end = granule.unwrap_or(reached);
        let is_first = self.position.replace(end).is_none();
        let over = reached.saturating_sub(end).min(total);
        PageSpan {
            kept: match (is_first, is_last) {
                (_, true) => 0..total - over,
                (true, false) => over..total,
                (false, false) => 0..total,
            },
            // A live stream may begin at any position.
            missing: if is_first { 0 } else { end.saturating_sub(reached) },
        }
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
        let is_after_loss =
            page.is_after_loss && page.granule.is_some_and(|end| end > self.reach(sum(&lengths)));
        if is_after_loss && let Some(Some(first)) = lengths.first_mut() {
            *first = 0;
        }
        let span = self.span(sum(&lengths), page.granule, page.is_last);
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
            // Both lie within the packet, so that the differences fit its length.
            let start = (span.kept.start.clamp(at, end) - at) as u32;
            let stop = (span.kept.end.clamp(at, end) - at) as u32;
            let kept = start..stop.max(start);
            events.push_back(DemuxEvent::Packet(Packet { bytes, frames, kept, damaged: false }));
            at = end;
        }
        Ok(())
    }
}
