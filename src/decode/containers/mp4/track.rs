//! A track with sound: its codec, its packets, and what of them is heard.

use super::boxes::{Mp4Box, number};
use super::entry::{Entry, broken};
use super::gapless::Gapless;
use super::table::Table;
use crate::decode::bytes::Bytes;
use crate::decode::error::DecodeError;
use crate::decode::limits::Limits;
use crate::decode::packet::Trim;

/// The track that is heard.
pub(super) struct Track {
    /// Its number in the file, by which fragments name it.
    pub(super) id: u32,
    pub(super) entry: Entry,
    pub(super) table: Table,
    /// Units of its durations in a second.
    timescale: u32,
    pub(super) trim: Trim,
    /// Its length in frames where the header tells it.
    pub(super) frames: Option<u64>,
}

impl Track {
    /// Reads the first track of a `moov` box that is decoded; `None` if none has sound.
    pub(super) fn find(
        moov: &Mp4Box,
        bytes: &mut Bytes,
        limits: &Limits,
    ) -> Result<Option<Track>, DecodeError> {
        let children = moov.children(bytes, 0)?;
        let header = children.iter().find(|child| child.kind == *b"mvhd");
        let movie_timescale = match header {
            Some(header) => timescale(header, bytes)?,
            None => return Err(broken("it has no mvhd box")),
        };
        let is_fragmented = children.iter().any(|child| child.kind == *b"mvex");
        let mut refused = None;
        for trak in children.iter().filter(|child| child.kind == *b"trak") {
            if !has_sound(trak, bytes)? {
                continue;
            }
            match Track::read(trak, bytes, limits) {
                Ok(mut track) => {
                    let timescales = [movie_timescale, track.timescale];
                    let gapless = Gapless::read(moov, trak, timescales, bytes)?;
                    track.apply(&gapless, is_fragmented);
                    return Ok(Some(track));
                }
                Err(DecodeError::Io(error)) => return Err(error.into()),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    fn read(trak: &Mp4Box, bytes: &mut Bytes, limits: &Limits) -> Result<Track, DecodeError> {
        let header = trak.descend(bytes, &[b"tkhd"])?.ok_or(broken("a track has no tkhd box"))?;
        let header = header.read(bytes, 24)?;
        let id = number(&header, if header.first() == Some(&1) { 20 } else { 12 }, 4);
        let mdhd = trak.descend(bytes, &[b"mdia", b"mdhd"])?;
        let timescale = timescale(&mdhd.ok_or(broken("a track has no mdhd box"))?, bytes)?;
        let stbl = trak.descend(bytes, &[b"mdia", b"minf", b"stbl"])?;
        let stbl = stbl.ok_or(broken("a track has no stbl box"))?;
        let stsd = stbl.descend(bytes, &[b"stsd"])?.ok_or(broken("a track has no stsd box"))?;
        let entry = Entry::read(&stsd, timescale, bytes)?;
        let (id, table) = (id.unwrap_or(0) as u32, Table::read(&stbl, bytes, limits)?);
        Ok(Track { id, entry, table, timescale, trim: Trim::none(), frames: None })
    }

    /// Whether its durations count frames.
    pub(super) fn counts_frames(&self) -> bool {
        self.timescale == self.entry.rate
    }

    /// Settles what is heard.
    fn apply(&mut self, gapless: &Gapless, is_fragmented: bool) {
        let all = self.all_frames().filter(|_| !is_fragmented);
        let delay = gapless.delay(self.entry.rate);
        let end = gapless.end(self.entry.rate, all);
        self.trim = Trim::new(delay, end.unwrap_or(u64::MAX)..u64::MAX);
        self.frames = match (all, end) {
            (Some(all), Some(end)) => Some(all.min(end).saturating_sub(delay)),
            (Some(all), None) => Some(all.saturating_sub(delay)),
            (None, _) => None,
        };
    }

    /// Frames in all packets of the table: as many as every packet decodes to, but for the last,
    /// which may be said to have less.
    fn all_frames(&self) -> Option<u64> {
        let others = (self.table.len() as u64).checked_sub(1).filter(|_| self.counts_frames())?;
        match self.entry.frames.map(u64::from) {
            Some(each) => Some(others * each + self.table.last_duration()?.min(each)),
            None => Some(self.table.duration()),
        }
    }
}

fn has_sound(trak: &Mp4Box, bytes: &mut Bytes) -> Result<bool, DecodeError> {
    let Some(handler) = trak.descend(bytes, &[b"mdia", b"hdlr"])? else { return Ok(false) };
    Ok(handler.read(bytes, 12)?.get(8..) == Some(b"soun"))
}

/// Units in a second, from an `mvhd` or `mdhd` box.
fn timescale(header: &Mp4Box, bytes: &mut Bytes) -> Result<u32, DecodeError> {
    let content = header.read(bytes, 24)?;
    let at = if content.first() == Some(&1) { 20 } else { 12 };
    let timescale = number(&content, at, 4).ok_or(broken("a header box is too short"))?;
    Ok(timescale as u32)
}
