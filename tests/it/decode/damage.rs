//! Damaged uploads: lost audio becomes silence and is reported, and the rest stays unchanged.

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::{Decoded, decode};
use stemwire::audio::Stereo;

const RATE: u32 = 44_100;

fn make(workshop: &Workshop, arguments: &str, name: &str) -> (Vec<u8>, Decoded) {
    let bytes = workshop.make(&signal(RATE, 2, 3.0), arguments, name);
    let decoded = decode(&bytes).unwrap();
    assert!(decoded.report.is_clean());
    (bytes, decoded)
}

/// The range in which two signals of equal length differ.
#[track_caller]
fn difference(expected: &Stereo, found: &Stereo) -> (usize, usize) {
    assert_eq!(expected.len(), found.len());
    let differs =
        |n: &usize| (0..2).any(|side| expected.planes()[side][*n] != found.planes()[side][*n]);
    let first = (0..expected.len()).find(differs).unwrap_or(0);
    (first, (0..expected.len()).rfind(differs).map_or(0, |last| last + 1))
}

/// Damages bytes in the middle of a file; expects the same length, and silence for at most this many frames there.
#[track_caller]
fn check_repaired(arguments: &str, name: &str, broken: usize, frames: usize) {
    let workshop = Workshop::new();
    let (mut bytes, whole) = make(&workshop, arguments, name);
    let at = bytes.len() / 2;
    bytes[at..at + broken].iter_mut().for_each(|byte| *byte ^= 0x55);
    let decoded = decode(&bytes).unwrap();
    let report = decoded.report;
    let (first, end) = difference(whole.only(), decoded.only());
    assert!(report.damaged_packets + report.gaps > 0, "{name}: {report:?}");
    assert!(report.silenced_frames.0 > 0, "{name}: {report:?}");
    assert_eq!(report.missing_frames.0, 0, "{name}: {report:?}");
    assert!((1..=frames).contains(&(end - first)), "{name}: {first}..{end} differ, {report:?}");
}

#[test]
fn a_lost_packet_becomes_silence_of_its_length() {
    // One frame of 4608 each.
    check_repaired("-c:a flac", "a.flac", 1, 4608);
    check_repaired("-c:a flac -strict -2 -sample_fmt s16", "flac.mp4", 1, 4608);
    // A page of half a second at most.
    check_repaired("-c:a flac -page_duration 400000", "flac.ogg", 1, 22_050);
    check_repaired("-c:a libvorbis -page_duration 400000", "vorbis.ogg", 1, 24_000);
    // The same, and the state of the filters behind it fades slowly.
    check_repaired("-c:a libopus -page_duration 400000", "a.opus", 1, 60_000);
    // A hole of three frames, and what hangs on the bits before.
    check_repaired("-c:a libmp3lame -b:a 128k", "a.mp3", 1300, 1152 * 7);
}

/// The checksum of a FLAC frame header.
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    let shift = |crc: u8| crc << 1 ^ if crc >> 7 == 1 { 7 } else { 0 };
    bytes.iter().fold(0, |crc, &byte| (0..8).fold(crc ^ byte, |crc, _| shift(crc)))
}

#[test]
fn a_header_that_chance_has_made_does_not_make_minutes_of_silence() {
    let workshop = Workshop::new();
    let (mut bytes, whole) = make(&workshop, "-c:a flac", "a.flac");
    let block = usize::from(u16::from_be_bytes([bytes[10], bytes[11]]));
    // The tenth frame, whose number is one byte.
    let header = |at: usize| &bytes[at..at + 6];
    let is_tenth = |at: &usize| {
        header(*at).starts_with(b"\xff\xf8") && header(*at)[4] == 9 && crc8(header(*at)) == 0
    };
    let at = (0..bytes.len() - 6).find(is_tenth).unwrap();
    // In front of it one that claims to be number 32,768.
    let mut chance = [&bytes[at..at + 4], &[0xe8, 0x80, 0x80]].concat();
    chance.push(crc8(&chance));
    bytes.splice(at..at, chance);
    let decoded = decode(&bytes).unwrap();
    let (first, end) = difference(whole.only(), decoded.only());
    // A frame or a few are lost in the search for its end.
    assert!(9 * block <= first && end <= 14 * block, "{first}..{end} differ");
    assert!(decoded.report.silenced_frames.0 <= 5 * block as u64, "{:?}", decoded.report);
}

#[test]
fn garbage_in_a_packet_does_not_move_the_rest() {
    let workshop = Workshop::new();
    for (arguments, name) in [
        // Without noise substitution: noise depends on the state after the damage.
        ("-c:a aac -aac_pns 0", "aac.m4a"),
        ("-c:a alac", "alac.m4a"),
        ("-c:a aac -aac_pns 0", "a.aac"),
        ("-c:a flac -cluster_time_limit 100", "flac.mkv"),
        ("-c:a flac -strict -2 -sample_fmt s16", "flac.mp4"),
        ("-c:a libmp3lame", "a.mp3"),
    ] {
        let (mut bytes, whole) = make(&workshop, arguments, name);
        let at = bytes.len() / 2;
        bytes[at..at + 700].fill(0xff);
        let decoded = decode(&bytes).unwrap();
        let (first, end) = difference(whole.only(), decoded.only());
        assert!((1..30_000).contains(&(end - first)), "{name}: {first}..{end} differ");
    }
}

#[test]
fn a_truncated_upload_yields_its_audio_and_the_number_of_missing_frames() {
    let workshop = Workshop::new();
    for (arguments, name) in [
        ("-c:a pcm_s24le", "a.wav"),
        ("-c:a pcm_s16be", "a.aiff"),
        ("-c:a flac", "a.flac"),
        ("-c:a libmp3lame -b:a 128k", "a.mp3"),
        ("-c:a libvorbis", "a.ogg"),
        ("-c:a libopus -page_duration 100000", "a.opus"),
        ("-c:a flac", "flac.ogg"),
        ("-c:a aac -movflags +faststart", "aac.m4a"),
        ("-c:a alac -movflags +faststart", "alac.m4a"),
        ("-c:a pcm_s16le -movflags +faststart", "pcm.mov"),
        ("-c:a mp2", "a.mp2"),
        ("-c:a flac", "flac.mkv"),
    ] {
        let (mut bytes, whole) = make(&workshop, arguments, name);
        bytes.truncate(bytes.len() * 7 / 10);
        let decoded = decode(&bytes).unwrap();
        let held = decoded.only().len();
        assert!((50_000..110_000).contains(&held), "{name}: {held} of {}", whole.only().len());
        // The last packet may hang on one that is cut off.
        let sure = held - 4608;
        assert!(whole.only().slice(0..sure) == decoded.only().slice(0..sure), "{name}");
        if let Some(known) = whole.source.frames {
            assert_eq!(decoded.report.missing_frames + decoded.only().frames(), known, "{name}");
        }
    }
}

#[test]
fn an_upload_without_one_good_packet_fails() {
    let workshop = Workshop::new();
    for (arguments, name, header) in [
        ("-c:a flac", "a.flac", &b"\xff\xf8"[..]),
        ("-c:a aac -movflags +faststart", "aac.m4a", b"mdat"),
        ("-c:a alac -movflags +faststart", "alac.m4a", b"mdat"),
    ] {
        let (mut bytes, _) = make(&workshop, arguments, name);
        let at = bytes.windows(header.len()).position(|window| window == header).unwrap();
        bytes[at + header.len()..].fill(0xff);
        let error = decode(&bytes).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("holds no audio that can be decoded"), "{name}: {error:?}");
    }
}

#[test]
fn bytes_behind_the_audio_are_counted() {
    let workshop = Workshop::new();
    for (arguments, name) in [
        ("-c:a pcm_s16le", "a.wav"),
        ("-c:a flac", "a.flac"),
        ("-c:a libmp3lame", "a.mp3"),
        ("-c:a libvorbis", "a.ogg"),
    ] {
        let (mut bytes, whole) = make(&workshop, arguments, name);
        bytes.extend([1; 5000]);
        let decoded = decode(&bytes).unwrap();
        assert!(decoded.only() == whole.only(), "{name}");
        assert_eq!(decoded.report.skipped_bytes, 5000, "{name}");
    }
}

#[test]
fn a_broken_header_behind_the_first_link_keeps_the_first() {
    let workshop = Workshop::new();
    let (bytes, whole) = make(&workshop, "-c:a flac", "a.flac");
    let decoded = decode(&[&bytes, &bytes[..30]].concat()).unwrap();
    assert!(decoded.only() == whole.only());
    assert_eq!(decoded.report.broken_links, 1);
}
