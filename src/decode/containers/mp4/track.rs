//! An audio track: its codec, packets and trim.

use std::num::NonZero;

use super::boxes::{Mp4Box, number};
use super::entry::{PacketLength, SampleEntry, malformed};
use super::gapless::Gapless;
use super::table::SampleTable;
use crate::decode::codecs::Codec;
use crate::decode::demux::Trim;
use crate::decode::edits::Edits;
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, Container};
use crate::decode::track_choice::choose;

/// The track that is decoded.
pub(super) struct Track {
    /// Its identifier in the file, which fragments refer to.
    pub(super) id: u32,
    pub(super) entry: SampleEntry,
    pub(super) table: SampleTable,
    /// Units of its durations per second.
    timescale: u32,
    pub(super) trim: Trim,
    /// Exact length in frames without delay and padding, where the headers state it.
    pub(super) frames: Option<u64>,
    /// Frames between the beginning of the pictures and that of the audio.
    pub(super) lateness: u64,
    /// What is kept, where the edit list has several edits.
    pub(super) edits: Option<Edits>,
}

impl Track {
    /// Reads the audio track to decode of a `moov` box.
    ///
    /// # Errors
    /// Those of [`choose`].
    pub(super) fn find(
        moov: &Mp4Box,
        bytes: &mut ByteReader,
        limits: &DecodeLimits,
        wanted: Option<NonZero<u32>>,
    ) -> Result<(Track, AudioTrack), DecodeError> {
        let children = moov.children(bytes, 0)?;
        let header = children.iter().find(|child| child.kind == *b"mvhd");
        let movie_timescale = match header {
            Some(header) => timescale(header, bytes)?,
            None => return Err(malformed("it has no mvhd box")),
        };
        let is_fragmented = children.iter().any(|child| child.kind == *b"mvex");
        let (mut audio, mut video) = (Vec::new(), Vec::new());
        for trak in children.into_iter().filter(|child| child.kind == *b"trak") {
            match handler(&trak, bytes)?.as_ref() {
                Some(b"soun") => audio.push(trak),
                Some(b"vide") => video.push(trak),
                _ => {}
            }
        }
        let read = |index: usize| Track::read(&audio[index], bytes, limits);
        let codec = |track: &Track| track.entry.codec.as_ref().map(Codec::name);
        let (mut track, number) = choose(Container::Mp4, audio.len(), wanted, read, codec)?;
        let trak = &audio[number.number as usize - 1];
        let timescales = [movie_timescale, track.timescale];
        let gapless = Gapless::read(moov, trak, timescales, limits.edits.max(64), bytes)?;
        let mut video_start = None;
        for trak in &video {
            let start = Gapless::start(trak, bytes)?;
            video_start = Some(video_start.map_or(start, |least: u64| least.min(start)));
        }
        let late = video_start.map_or(0, |start| gapless.pause().saturating_sub(start));
        track.apply(&gapless, is_fragmented, limits.edits);
        track.begin_late(gapless.movie_frames(late, track.entry.rate), limits);
        Ok((track, number))
    }

    fn read(
        trak: &Mp4Box,
        bytes: &mut ByteReader,
        limits: &DecodeLimits,
    ) -> Result<Track, DecodeError> {
        let header =
            trak.descend(bytes, &[b"tkhd"])?.ok_or(malformed("a track has no tkhd box"))?;
        let header = header.read(bytes, 24)?;
        let id = number(&header, if header.first() == Some(&1) { 20 } else { 12 }, 4);
        let mdhd = trak.descend(bytes, &[b"mdia", b"mdhd"])?;
        let timescale = timescale(&mdhd.ok_or(malformed("a track has no mdhd box"))?, bytes)?;
        let stbl = trak.descend(bytes, &[b"mdia", b"minf", b"stbl"])?;
        let stbl = stbl.ok_or(malformed("a track has no stbl box"))?;
        let stsd = stbl.descend(bytes, &[b"stsd"])?.ok_or(malformed("a track has no stsd box"))?;
        let entry = SampleEntry::read(&stsd, timescale, bytes)?;
        let (id, mut table) = (id.unwrap_or(0) as u32, SampleTable::read(&stbl, bytes, limits)?);
        let mut entry = entry;
        if let PacketLength::Pcm { frame_bytes } = entry.length {
            table.set_frame_bytes(frame_bytes);
        }
        if let PacketLength::Mpeg = entry.length
            && let Some(start) = table.start()
        {
            bytes.seek(start);
            entry.set_mpeg(bytes.peek(4)?);
        }
        let (trim, frames, lateness, edits) = (Trim::none(), None, 0, None);
        Ok(Track { id, entry, table, timescale, trim, frames, lateness, edits })
    }

    /// Whether the unit of its durations is a frame.
    pub(super) fn counts_frames(&self) -> bool {
        self.timescale == self.entry.rate
    }

    /// Sets the trim and the length.
    fn apply(&mut self, gapless: &Gapless, is_fragmented: bool, max_edits: usize) {
        let all = self.all_frames().filter(|_| !is_fragmented);
        self.edits = gapless.edits(self.entry.rate, all, max_edits);
        if let Some(edits) = &self.edits {
            self.frames = all.map(|all| edits.frames_of(all));
            return;
        }
        let delay = gapless.delay(self.entry.rate).unwrap_or(self.entry.delay);
        let end = gapless.end(self.entry.rate, all);
        self.trim = Trim::new(delay, end.unwrap_or(u64::MAX)..u64::MAX);
        self.frames = match (all, end) {
            (Some(all), Some(end)) => Some(all.min(end).saturating_sub(delay)),
            (Some(all), None) => Some(all.saturating_sub(delay)),
            (None, _) => None,
        };
    }

    /// Sets the frames in front of the audio.
    fn begin_late(&mut self, lateness: u64, limits: &DecodeLimits) {
        self.lateness = lateness.min(limits.late_start_frames);
        self.frames = self.frames.map(|frames| frames.saturating_add(self.lateness));
    }

    /// Frames of all packets in the tables. The last packet may be shorter by its duration. `None`
    /// if the durations do not count frames.
    fn all_frames(&self) -> Option<u64> {
        let others = (self.table.len() as u64).checked_sub(1).filter(|_| self.counts_frames())?;
        match self.entry.length.constant().map(u64::from) {
            Some(each) => Some(others * each + self.table.last_duration()?.min(each)),
            None => Some(self.table.duration()),
        }
    }
}

/// The kind of a track, such as `soun`.
fn handler(trak: &Mp4Box, bytes: &mut ByteReader) -> Result<Option<[u8; 4]>, DecodeError> {
    let Some(handler) = trak.descend(bytes, &[b"mdia", b"hdlr"])? else { return Ok(None) };
    Ok(handler.read(bytes, 12)?.get(8..).and_then(|kind| kind.first_chunk().copied()))
}

/// Units per second, from an `mvhd` or `mdhd` box.
fn timescale(header: &Mp4Box, bytes: &mut ByteReader) -> Result<u32, DecodeError> {
    let content = header.read(bytes, 24)?;
    let at = if content.first() == Some(&1) { 20 } else { 12 };
    let timescale = number(&content, at, 4).ok_or(malformed("a header box is too short"))?;
    Ok(timescale as u32)
}
