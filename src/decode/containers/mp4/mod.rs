//! MP4, M4A and QuickTime (ISO/IEC 14496-12 and -14, QTFF): one audio track.
//!
//! - Boxes are read from the front as they arrive. The `moov` box holds the positions of the packets:
//!   if it lies behind them, decoding begins when it has arrived, else at once.
//! - The edit list, or the `iTunSMPB` comment of iTunes, states the encoder's delay and padding.
//!   If the file has pictures, audio that begins later than these by its edit list begins with silence, so that stems fit
//!   the pictures. Of several edits, the parts are kept that they name, with silence for the pauses between them; lists that
//!   repeat or reorder parts are followed as far as their first edit.
//! - Fragments are decoded as they arrive.
//! - Frames of PCM, each of which is a packet, are read in runs.

mod boxes;
mod entry;
mod fragment;
mod gapless;
mod pcm;
mod table;
mod track;

use std::collections::VecDeque;
use std::num::NonZero;

use self::boxes::Mp4Box;
use self::entry::{PacketLength, malformed};
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

/// Least frames of PCM in a run: 93 ms at 44.1 kHz.
const PCM_FRAMES: u64 = 4096;

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
    /// The packet behind a run of PCM.
    pending: Option<PacketLocation>,
}

impl Mp4Demuxer {
    /// Searches for the `moov` box and reads it.
    pub(crate) fn open(
        bytes: &mut ByteReader,
        limits: &DecodeLimits,
        wanted: Option<NonZero<u32>>,
    ) -> Result<Mp4Demuxer, DecodeError> {
        let mut at = bytes.position();
        for _ in 0..MAX_BOXES {
            let Some(found) = Mp4Box::at(bytes, at)? else { break };
            if found.kind == *b"moov" {
                return Mp4Demuxer::begin(&found, bytes, limits, wanted);
            }
            at = found.content.end;
        }
        Err(malformed("it has no moov box, or was cut before it"))
    }

    fn begin(
        moov: &Mp4Box,
        bytes: &mut ByteReader,
        limits: &DecodeLimits,
        wanted: Option<NonZero<u32>>,
    ) -> Result<Mp4Demuxer, DecodeError> {
        let (mut track, number) = Track::find(moov, bytes, limits, wanted)?;
        let container = Container::Mp4;
        let codec = track.entry.codec.take().ok_or(malformed("a track has no codec"))?;
        let fragments = PacketDefaults::read(moov, track.id, bytes)?.map(|d| (moov.content.end, d));
        let (rate, frames) = (Hertz(track.entry.rate), track.frames);
        let link = Link { container, codec, rate, frames, track: number };
        let (limits, locations) = (limits.clone(), VecDeque::new());
        Ok(Mp4Demuxer { limits, link: Some(link), track, fragments, locations, pending: None })
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

    /// Location of the next packet, or of a run of frames of PCM, each of which is a packet.
    fn run(&mut self, bytes: &mut ByteReader) -> Result<Option<PacketLocation>, DecodeError> {
        let first = match self.pending.take() {
            Some(pending) => Some(pending),
            None => self.location(bytes)?,
        };
        let PacketLength::Pcm { frame_bytes } = self.track.entry.length else { return Ok(first) };
        let Some(mut run) = first else { return Ok(None) };
        while run.bytes < u64::from(frame_bytes) * PCM_FRAMES {
            // A fragment that has not arrived yet does not delay the run.
            if self.locations.is_empty() && self.fragments.is_some() && self.track.table.is_at_end()
            {
                break;
            }
            let Some(next) = self.location(bytes)? else { break };
            if next.start != run.start.saturating_add(run.bytes) {
                self.pending = Some(next);
                break;
            }
            run.bytes = run.bytes.saturating_add(next.bytes);
            run.duration = run.duration.saturating_add(next.duration);
            run.is_last = next.is_last;
        }
        Ok(Some(run))
    }

    /// The event for a packet: its frames after trimming, or a gap if it is empty or has no length.
    fn event(&mut self, location: &PacketLocation, packet: Vec<u8>) -> DemuxEvent {
        let length = &self.track.entry.length;
        let own = length.of(&packet);
        let is_flac = matches!(length, PacketLength::Flac(_));
        let duration = if self.track.counts_frames() { location.duration } else { 0 };
        let duration = u32::try_from(duration).unwrap_or(u32::MAX);
        let frames = own.unwrap_or(duration);
        let mut kept = self.track.trim.next(frames);
        if location.is_last && duration > 0 {
            kept.end = kept.end.min(duration).max(kept.start);
        }
        if packet.is_empty() || own.is_none() {
            return DemuxEvent::Gap(kept.len() as u64);
        }
        // FLAC frames end with a checksum.
        let damaged = is_flac && !is_whole(&packet);
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
        if let late @ 1.. = std::mem::take(&mut self.track.lateness) {
            return Ok(Some(DemuxEvent::LateStart(late)));
        }
        if let Some(edits) = self.track.edits.take() {
            return Ok(Some(DemuxEvent::Edits(edits)));
        }
        let Some(location) = self.run(bytes)? else { return Ok(None) };
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
