//! Delay and length of a track: from the edit list (ISO/IEC 14496-12, 8.6.6) or iTunes' comment.

use std::io;

use super::boxes::{Mp4Box, number};
use crate::decode::edits::{EditedPart, Edits};
use crate::decode::reader::ByteReader;

/// Delay and length as the file states them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Gapless {
    /// The edits that are not pauses.
    edits: Vec<Edit>,
    /// Entries of the edit list.
    entries: usize,
    movie_timescale: u32,
    track_timescale: u32,
    /// Delay and length in frames, from an `iTunSMPB` comment.
    itunes: Option<(u64, u64)>,
}

/// An edit that is not a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edit {
    /// Length of the pauses in front of it, in units of the movie.
    pause: u64,
    /// Where it begins, in units of the track.
    start: u64,
    /// Its length, in units of the movie; 0 up to the end of the track.
    length: u64,
}

impl Gapless {
    /// Reads the first `max` entries of the edit list of a `trak` box, and the comments of its `moov` box.
    pub(super) fn read(
        moov: &Mp4Box,
        trak: &Mp4Box,
        [movie_timescale, track_timescale]: [u32; 2],
        max: usize,
        bytes: &mut ByteReader,
    ) -> io::Result<Gapless> {
        let mut gapless = Gapless { movie_timescale, track_timescale, ..Gapless::default() };
        gapless.read_edit_list(trak, max, bytes)?;
        if let Some(list) = moov.descend(bytes, &[b"udta", b"meta"])? {
            // The children follow version and flags.
            let children = list.children(bytes, 4)?;
            if let Some(list) = children.into_iter().find(|child| child.kind == *b"ilst") {
                gapless.itunes = read_itunes(&list, bytes)?;
            }
        }
        Ok(gapless)
    }

    /// Where the edit list of a `trak` box lets its track begin, in units of the movie.
    pub(super) fn start(trak: &Mp4Box, bytes: &mut ByteReader) -> io::Result<u64> {
        let mut gapless = Gapless::default();
        gapless.read_edit_list(trak, MAX_PAUSES, bytes)?;
        Ok(gapless.pause())
    }

    /// Length of the pauses in front of the audio, in units of the movie.
    pub(super) fn pause(&self) -> u64 {
        self.edits.first().map_or(0, |first| first.pause)
    }

    /// A time in units of the movie as frames.
    pub(super) fn movie_frames(&self, time: u64, rate: u32) -> u64 {
        scale(time, self.movie_timescale, rate)
    }

    /// Frames in front of the audio, where the file states them.
    pub(super) fn delay(&self, rate: u32) -> Option<u64> {
        match (self.itunes, self.edits.first()) {
            (Some((delay, _)), _) => Some(delay),
            (None, Some(first)) => Some(self.track_frames(first.start, rate)),
            (None, None) => None,
        }
    }

    /// Frames from the first packet to the end of the audio; `None` if it ends with the last of `all`
    /// frames.
    pub(super) fn end(&self, rate: u32, all: Option<u64>) -> Option<u64> {
        if let Some((delay, length)) = self.itunes {
            return Some(delay + length);
        }
        // The length of one of several is not that of the audio.
        let &[only] = &self.edits[..] else { return None };
        self.end_of(only, rate, all)
    }

    /// The parts of the audio that the edits keep, of `all` frames; `None` unless there are several in the order of the
    /// audio, in a list of at most `max` entries. The pause in front of the first is not among them.
    pub(super) fn edits(&self, rate: u32, all: Option<u64>, max: usize) -> Option<Edits> {
        if self.edits.len() < 2 || self.entries > max || self.itunes.is_some() {
            return None;
        }
        let mut parts: Vec<EditedPart> = Vec::new();
        for (index, edit) in self.edits.iter().enumerate() {
            let (start, pause) =
                (self.track_frames(edit.start, rate), self.movie_frames(edit.pause, rate));
            let is_last = index + 1 == self.edits.len();
            let end = self.end_of(*edit, rate, all.filter(|_| is_last)).unwrap_or(u64::MAX);
            match parts.last_mut() {
                None => parts.push(EditedPart { pause: 0, frames: start..end }),
                Some(before) => {
                    // Rounding neither leaves frames out nor repeats them.
                    if before.frames.end.abs_diff(start) <= self.tick(rate) {
                        before.frames.end = start.max(before.frames.start);
                    }
                    parts.push(EditedPart { pause, frames: start..end });
                }
            }
        }
        Edits::new(parts)
    }

    /// The frame at which an edit ends; `None` if it ends with the last of `all` frames.
    fn end_of(&self, edit: Edit, rate: u32, all: Option<u64>) -> Option<u64> {
        if edit.length == 0 {
            return None;
        }
        let end = self.track_frames(edit.start, rate) + self.movie_frames(edit.length, rate);
        all.is_none_or(|all| end + self.tick(rate) < all).then_some(end)
    }

    /// What rounding of edits may be, in frames: they have the unit of the movie, often a millisecond.
    fn tick(&self, rate: u32) -> u64 {
        self.movie_frames(1, rate) + 1
    }

    fn track_frames(&self, time: u64, rate: u32) -> u64 {
        scale(time, self.track_timescale, rate)
    }

    fn read_edit_list(
        &mut self,
        trak: &Mp4Box,
        max: usize,
        bytes: &mut ByteReader,
    ) -> io::Result<()> {
        if let Some(list) = trak.descend(bytes, &[b"edts", b"elst"])? {
            // The longer of two kinds of entries has 20 bytes.
            self.read_edits(&list.read(bytes, 8 + max * 20)?, max);
        }
        Ok(())
    }

    fn read_edits(&mut self, list: &[u8], max: usize) {
        let is_long = list.first() == Some(&1);
        let width = if is_long { 8 } else { 4 };
        let count = number(list, 4, 4).unwrap_or(0) as usize;
        let edits =
            list.get(8..).unwrap_or_default().chunks_exact(2 * width + 4).take(count.min(max));
        self.entries = count;
        // A start of -1 marks a pause.
        let pause_start = if is_long { u64::MAX } else { u32::MAX.into() };
        let mut pause: u64 = 0;
        for edit in edits {
            let (length, start) = (number(edit, 0, width), number(edit, width, width));
            let (Some(length), Some(start)) = (length, start) else { break };
            if start == pause_start {
                pause = pause.saturating_add(length);
            } else {
                self.edits.push(Edit { pause: std::mem::take(&mut pause), start, length });
            }
        }
    }
}

/// Pauses that are searched for the beginning of the pictures.
const MAX_PAUSES: usize = 64;

/// Longer than any audio, and small enough that sums do not overflow.
const MAX_TIME: u64 = 1 << 48;

/// Converts a time between units per second, rounding to nearest.
fn scale(time: u64, from: u32, to: u32) -> u64 {
    let from = u128::from(from.max(1));
    let scaled = (u128::from(time) * u128::from(to) + from / 2) / from;
    u64::try_from(scaled).unwrap_or(MAX_TIME).min(MAX_TIME)
}

/// Delay and length from the `iTunSMPB` comment: ` 00000000 <delay> <padding> <length> ...`.
fn read_itunes(list: &Mp4Box, bytes: &mut ByteReader) -> io::Result<Option<(u64, u64)>> {
    for item in list.children(bytes, 0)?.iter().filter(|item| item.kind == *b"----") {
        let (mut is_gapless, mut found) = (false, None);
        for part in item.children(bytes, 0)? {
            let content = part.read(bytes, 256)?;
            match &part.kind {
                b"name" => is_gapless = content.get(4..) == Some(b"iTunSMPB"),
                b"data" => found = content.get(8..).and_then(parse_itunes),
                _ => {}
            }
        }
        if is_gapless && found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn parse_itunes(text: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(|word| u64::from_str_radix(word, 16));
    let (delay, length) = (numbers.nth(1)?.ok()?, numbers.nth(1)?.ok()?);
    (length > 0 && delay < 1 << 20 && length < MAX_TIME).then_some((delay, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn itunes_comment_has_delay_and_length() {
        let text = b" 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        assert_eq!(parse_itunes(text), Some((0x840, 0x3f_31f6)));
        assert_eq!(parse_itunes(b" 00000000 00000840"), None);
        assert_eq!(parse_itunes(b"\xff\xfe"), None);
    }

    #[test]
    fn pauses_in_front_of_the_audio_are_added_up() {
        let mut gapless = Gapless { movie_timescale: 1000, ..Gapless::default() };
        let edits = [[500, u32::MAX], [200, u32::MAX], [3000, 1024], [400, u32::MAX], [9, 5]];
        let edits = edits.map(|[length, start]| [length, start, 0x1_0000]).concat();
        gapless.read_edits(
            &[&[0, 5], &edits[..]]
                .concat()
                .into_iter()
                .map(u32::to_be_bytes)
                .collect::<Vec<_>>()
                .concat(),
            64,
        );
        let edit = |pause, start, length| Edit { pause, start, length };
        assert_eq!(gapless.edits, [edit(700, 1024, 3000), edit(400, 5, 9)]);
        assert_eq!(gapless.movie_frames(gapless.pause(), 48_000), 33_600);
    }

    #[test]
    fn an_edit_that_ends_with_the_packets_trims_nothing() {
        let mut gapless =
            Gapless { movie_timescale: 1000, track_timescale: 44_100, ..Gapless::default() };
        // Version 0, one edit of 1000 ms from unit 1024 on.
        gapless.read_edits(&[0, 1, 1000, 1024, 0x1_0000].map(u32::to_be_bytes).concat(), 64);
        assert_eq!(gapless.edits, [Edit { pause: 0, start: 1024, length: 1000 }]);
        assert_eq!(gapless.delay(44_100), Some(1024));
        assert_eq!(gapless.end(44_100, Some(45_124)), None);
        assert_eq!(gapless.end(44_100, Some(45_124 + 30)), None);
        assert_eq!(gapless.end(44_100, Some(50_000)), Some(45_124));
    }
}
