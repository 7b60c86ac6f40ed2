//! MP4, M4A and QuickTime (ISO/IEC 14496-12 and -14, QTFF): the first audio track of a supported
//! codec.
//!
//! - Boxes are read from the front as they arrive. The `moov` box holds the positions of the packets:
//!   if it lies behind them, decoding begins when it has arrived, else at once.
//! - The edit list, or the `iTunSMPB` comment of iTunes, states the encoder's delay and padding.
//!   Pauses in an edit list are ignored.
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
use self::entry::malformed;
use self::fragment::PacketDefaults;
use self::table::PacketLocation;
use self::track::Track;
use crate::audio::Hertz;
use crate::decode::containers::flac::frame::is_whole;
use crate::decode::demux::{DemuxEvent, Demuxer, Link, Packet};
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::reader::ByteReader;
use crate::decode::report::{Container, DecodeReport};

/// Top-level boxes that are searched for the header.
const MAX_BOXES: usize = 65_536;

/// Demuxer of one track of an MP4 file.
pub(crate) struct Mp4Demuxer {
    limits: DecodeLimits,
    link: Option<Link>,
    track: Track,
    /// Offset from which the next fragment is searched, and the defaults of its packets; `None` in a
    /// file without fragments.
    fragments: Option<(u64, PacketDefaults)>,
    /// Packets of the current fragment.
    locations: VecDeque<PacketLocation>,
}

impl Mp4Demuxer {
    /// Searches for the `moov` box and reads it.
    pub(crate) fn open(
        bytes: &mut ByteReader,
        limits: &DecodeLimits,
    ) -> Result<Mp4Demuxer, DecodeError> {
        let mut at = bytes.position();
        for _ in 0..MAX_BOXES {
            let Some(found) = Mp4Box::at(bytes, at)? else { break };
            if found.kind == *b"moov" {
                return Mp4Demuxer::begin(&found, bytes, limits);
            }
            at = found.content.end;
        }
        Err(malformed("it has no moov box, or was cut before it"))
    }

    fn begin(
        moov: &Mp4Box,
        bytes: &mut ByteReader,
        limits: &DecodeLimits,
    ) -> Result<Mp4Demuxer, DecodeError> {
        let track = Track::find(moov, bytes, limits)?;
        let container = Container::Mp4;
        let mut track = track.ok_or(DecodeError::NoAudioTrack { container })?;
        let codec = track.entry.codec.take().ok_or(malformed("a track has no codec"))?;
        let fragments = PacketDefaults::read(moov, track.id, bytes)?.map(|d| (moov.content.end, d));
        let link = Link { container, codec, rate: Hertz(track.entry.rate), frames: track.frames };
        let (limits, locations) = (limits.clone(), VecDeque::new());
        Ok(Mp4Demuxer { limits, link: Some(link), track, fragments, locations })
    }

    /// Location of the next packet; `None` after the last.
    fn location(&mut self, bytes: &mut ByteReader) -> Result<Option<PacketLocation>, DecodeError> {
        if let Some(location) = self.track.table.next() {
            return Ok(Some(location));
        }
        loop {
            if let Some(location) = self.locations.pop_front() {
                return Ok(Some(location));
            }
            let Some((at, defaults)) = self.fragments else { return Ok(None) };
            let Some(found) = Mp4Box::at(bytes, at)? else { return Ok(None) };
            if found.kind == *b"moof" {
                self.locations =
                    fragment::read(&found, self.track.id, defaults, bytes, &self.limits)?;
            }
            self.fragments = Some((found.content.end, defaults));
        }
    }

    /// The event for a packet: its frames after trimming, or a gap if it is empty or has no length.
    fn event(&mut self, location: &PacketLocation, packet: Vec<u8>) -> DemuxEvent {
        let constant = self.track.entry.frames;
        let info = self.track.entry.info.as_ref();
        let own = info.and_then(|info| info.frame(&packet)).map(|header| header.frames);
        let duration = if self.track.counts_frames() { location.duration } else { 0 };
        let duration = u32::try_from(duration).unwrap_or(u32::MAX);
        let frames = constant.or(own).unwrap_or(duration);
        let mut kept = self.track.trim.next(frames);
        if location.is_last && duration > 0 {
            kept.end = kept.end.min(duration).max(kept.start);
        }
        if packet.is_empty() || constant.or(own).is_none() {
            return DemuxEvent::Gap(kept.len() as u64);
        }
        // FLAC frames end with a checksum.
        let damaged = info.is_some() && !is_whole(&packet);
        DemuxEvent::Packet(Packet { bytes: packet, frames, kept, damaged })
    }
}

impl Demuxer for Mp4Demuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        if let Some(link) = self.link.take() {
            return Ok(Some(DemuxEvent::Link(link)));
        }
        let Some(location) = self.location(bytes)? else { return Ok(None) };
        let max = self.limits.packet_bytes;
        // A packet beyond the limit is not read and becomes silence.
        let wanted = usize::try_from(location.bytes).ok().filter(|&wanted| wanted <= max);
        bytes.seek(location.start);
        let packet = bytes.take(wanted.unwrap_or(0))?;
        if wanted.is_some_and(|wanted| packet.len() < wanted) {
            report.skipped_bytes += packet.len() as u64;
            return Ok(None);
        }
        Ok(Some(self.event(&location, packet)))
    }
}
