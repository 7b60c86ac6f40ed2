//! MP4, M4A and QuickTime: the first track with sound that is decoded.
//!
//! - Boxes are walked from the front as they arrive. Where the packets are said to be comes in the
//!   `moov` box: if that lies behind them, decoding begins when it has arrived, else at once.
//! - The edit list, or the `iTunSMPB` comment of iTunes, tells what the encoder added in front and
//!   behind. Pauses in an edit list are left out.
//! - Fragments are decoded as they arrive.

mod aac;
mod boxes;
mod entry;
mod fragment;
mod gapless;
mod table;
mod track;

use std::collections::VecDeque;

use self::boxes::Mp4Box;
use self::entry::broken;
use self::fragment::Defaults;
use self::table::Place;
use self::track::Track;
use crate::audio::Hertz;
use crate::decode::bytes::Bytes;
use crate::decode::containers::flac::frame::is_whole;
use crate::decode::error::DecodeError;
use crate::decode::limits::Limits;
use crate::decode::packet::{Demux, Event, Link, Packet};
use crate::decode::report::{Container, Report};

/// Top-level boxes looked at before the header is found.
const MAX_BOXES: usize = 65_536;

/// One track of an MP4 file.
pub(crate) struct Mp4 {
    limits: Limits,
    link: Option<Link>,
    track: Track,
    /// Where the next fragment is looked for, and what its packets are; `None` without fragments.
    fragments: Option<(u64, Defaults)>,
    places: VecDeque<Place>,
}

impl Mp4 {
    /// Walks to the header and reads it.
    pub(crate) fn open(bytes: &mut Bytes, limits: &Limits) -> Result<Mp4, DecodeError> {
        let mut at = bytes.position();
        for _ in 0..MAX_BOXES {
            let Some(found) = Mp4Box::at(bytes, at)? else { break };
            if found.kind == *b"moov" {
                return Mp4::begin(&found, bytes, limits);
            }
            at = found.content.end;
        }
        Err(broken("it has no moov box, or was cut before it"))
    }

    fn begin(moov: &Mp4Box, bytes: &mut Bytes, limits: &Limits) -> Result<Mp4, DecodeError> {
        let track = Track::find(moov, bytes, limits)?;
        let container = Container::Mp4;
        let mut track = track.ok_or(DecodeError::NoAudioTrack { container })?;
        let codec = track.entry.codec.take().ok_or(broken("a track has no codec"))?;
        let fragments = Defaults::read(moov, track.id, bytes)?.map(|d| (moov.content.end, d));
        let link = Link { container, codec, rate: Hertz(track.entry.rate), frames: track.frames };
        let (limits, places) = (limits.clone(), VecDeque::new());
        Ok(Mp4 { limits, link: Some(link), track, fragments, places })
    }

    /// Where the next packet lies; `None` behind the last.
    fn place(&mut self, bytes: &mut Bytes) -> Result<Option<Place>, DecodeError> {
        if let Some(place) = self.track.table.next() {
            return Ok(Some(place));
        }
        loop {
            if let Some(place) = self.places.pop_front() {
                return Ok(Some(place));
            }
            let Some((at, defaults)) = self.fragments else { return Ok(None) };
            let Some(found) = Mp4Box::at(bytes, at)? else { return Ok(None) };
            if found.kind == *b"moof" {
                self.places = fragment::read(&found, self.track.id, defaults, bytes, &self.limits)?;
            }
            self.fragments = Some((found.content.end, defaults));
        }
    }

    /// What a packet is worth.
    fn event(&mut self, place: &Place, packet: Vec<u8>) -> Event {
        let stated = self.track.entry.frames;
        let info = self.track.entry.info.as_ref();
        let own = info.and_then(|info| info.frame(&packet)).map(|header| header.frames);
        let sounds = if self.track.counts_frames() { place.duration } else { 0 };
        let sounds = u32::try_from(sounds).unwrap_or(u32::MAX);
        let frames = stated.or(own).unwrap_or(sounds);
        let mut heard = self.track.trim.next(frames);
        if place.is_last && sounds > 0 {
            heard.end = heard.end.min(sounds).max(heard.start);
        }
        if packet.is_empty() || stated.or(own).is_none() {
            return Event::Gap(heard.len() as u64);
        }
        // A frame of FLAC carries a checksum.
        let damaged = info.is_some() && !is_whole(&packet);
        Event::Packet(Packet { bytes: packet, frames, heard, damaged })
    }
}

impl Demux for Mp4 {
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError> {
        if let Some(link) = self.link.take() {
            return Ok(Some(Event::Link(link)));
        }
        let Some(place) = self.place(bytes)? else { return Ok(None) };
        let most = self.limits.packet_bytes;
        // A packet beyond all measure is not read, and so becomes silence.
        let wanted = usize::try_from(place.bytes).ok().filter(|&wanted| wanted <= most);
        bytes.seek(place.start);
        let packet = bytes.take(wanted.unwrap_or(0))?;
        if wanted.is_some_and(|wanted| packet.len() < wanted) {
            report.skipped_bytes += packet.len() as u64;
            return Ok(None);
        }
        Ok(Some(self.event(&place, packet)))
    }
}
