//! Delay and length of a track: from the edit list (ISO/IEC 14496-12, 8.6.6) or iTunes' comment.

use std::io;

use super::boxes::{Mp4Box, number};
use crate::decode::reader::ByteReader;

/// Delay and length as the file states them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Gapless {
    /// Start of the first edit that is not a pause, in units of the track, and its length, in units
    /// of the movie.
    edit: Option<(u64, u64)>,
    /// Length of the pauses in front of it, in units of the movie.
    pause: u64,
    /// More edits follow, so that the length of the first is not that of the audio.
    has_more_edits: bool,
    movie_timescale: u32,
    track_timescale: u32,
    /// Delay and length in frames, from an `iTunSMPB` comment.
    itunes: Option<(u64, u64)>,
}

impl Gapless {
    /// Reads the edit list of a `trak` box and the comments of its `moov` box; edits beyond the 64th
    /// are ignored.
    pub(super) fn read(
        moov: &Mp4Box,
        trak: &Mp4Box,
        [movie_timescale, track_timescale]: [u32; 2],
        bytes: &mut ByteReader,
    ) -> io::Result<Gapless> {
        let mut gapless = Gapless { movie_timescale, track_timescale, ..Gapless::default() };
        gapless.read_edit_list(trak, bytes)?;
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
        gapless.read_edit_list(trak, bytes)?;
        Ok(gapless.pause)
    }

    /// Length of the pauses in front of the audio, in units of the movie.
    pub(super) fn pause(&self) -> u64 {
        self.pause
    }

    /// A time in units of the movie as frames.
    pub(super) fn movie_frames(&self, time: u64, rate: u32) -> u64 {
        scale(time, self.movie_timescale, rate)
    }

    /// Frames in front of the audio, where the file states them.
    pub(super) fn delay(&self, rate: u32) -> Option<u64> {
        match (self.itunes, self.edit) {
            (Some((delay, _)), _) => Some(delay),
            (None, Some((start, _))) => Some(scale(start, self.track_timescale, rate)),
            (None, None) => None,
        }
    }

    /// Frames from the first packet to the end of the audio; `None` if it ends with the last of `all`
    /// frames.
    pub(super) fn end(&self, rate: u32, all: Option<u64>) -> Option<u64> {
        if let Some((delay, length)) = self.itunes {
            return Some(delay + length);
        }
        let (_, length) = self.edit.filter(|&(_, length)| length > 0 && !self.has_more_edits)?;
        let end = self.delay(rate).unwrap_or(0) + scale(length, self.movie_timescale, rate);
        // Edits are rounded to the unit of the movie, often a millisecond. One that ends within one
        // unit of the packets means their end.
        let tick = scale(1, self.movie_timescale, rate) + 1;
        all.is_none_or(|all| end + tick < all).then_some(end)
    }

    fn read_edit_list(&mut self, trak: &Mp4Box, bytes: &mut ByteReader) -> io::Result<()> {
        if let Some(list) = trak.descend(bytes, &[b"edts", b"elst"])? {
            self.read_edits(&list.read(bytes, 8 + 64 * 20)?);
        }
        Ok(())
    }

    fn read_edits(&mut self, list: &[u8]) {
        let is_long = list.first() == Some(&1);
        let width = if is_long { 8 } else { 4 };
        let count = number(list, 4, 4).unwrap_or(0) as usize;
        let edits = list.get(8..).unwrap_or_default().chunks_exact(2 * width + 4).take(count);
        // A start of -1 marks a pause.
        let pause = if is_long { u64::MAX } else { u32::MAX.into() };
        for edit in edits {
            let (length, start) = (number(edit, 0, width), number(edit, width, width));
            let (Some(length), Some(start)) = (length, start) else { break };
            match (start == pause, self.edit) {
                (true, None) => self.pause = self.pause.saturating_add(length),
                (true, Some(_)) => {}
                (false, None) => self.edit = Some((start, length)),
                (false, Some(_)) => self.has_more_edits = true,
            }
        }
    }
}

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
        );
        assert_eq!((gapless.pause(), gapless.edit), (700, Some((1024, 3000))));
        assert_eq!(gapless.movie_frames(700, 48_000), 33_600);
        assert!(gapless.has_more_edits);
    }

    #[test]
    fn an_edit_that_ends_with_the_packets_trims_nothing() {
        let mut gapless =
            Gapless { movie_timescale: 1000, track_timescale: 44_100, ..Gapless::default() };
        // Version 0, one edit of 1000 ms from unit 1024 on.
        gapless.read_edits(&[0, 1, 1000, 1024, 0x1_0000].map(u32::to_be_bytes).concat());
        assert_eq!(gapless.edit, Some((1024, 1000)));
        assert_eq!(gapless.delay(44_100), Some(1024));
        assert_eq!(gapless.end(44_100, Some(45_124)), None);
        assert_eq!(gapless.end(44_100, Some(45_124 + 30)), None);
        assert_eq!(gapless.end(44_100, Some(50_000)), Some(45_124));
    }
}
