//! Edit lists of several edits, compared with FFmpeg's decoding of the same packets without edits, from which the test cuts
//! the parts itself: FFmpeg cuts between packets, and plays the beginning of the track in place of a pause.

use crate::support::compare::stereo_snr_db;
use crate::support::decode;
use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mp4::{PAUSE, with_edits};
use crate::support::uploads;
use stemwire::audio::Stereo;
use stemwire::decode::{DecodeLimits, Decoder, Input};

const RATE: u32 = 48_000;

/// Frames of a unit of the movie, a millisecond.
const UNIT: usize = 48;

const FORMS: [(&str, &str); 3] = [
    ("-c:a pcm_s16le -movie_timescale 1000", "pcm.mov"),
    ("-c:a alac -movie_timescale 1000", "alac.m4a"),
    // The decoder's state goes through the parts that are left out.
    ("-c:a aac -b:a 128k -movie_timescale 1000", "aac.m4a"),
];

/// Decodes each form with these edits, and compares it with parts of its track: frames of silence in front, and the frames
/// from and to.
#[track_caller]
fn check(edits: &[(u32, i32)], parts: &[(usize, usize, usize)]) {
    let workshop = Workshop::new();
    for (arguments, name) in FORMS {
        let file = workshop.make(&signal(RATE, 2, 1.5), arguments, name);
        let all = workshop.stereo_of(&["-ignore_editlist", "1", "-i", name], 2);
        let mut expected = Stereo::new();
        for &(pause, from, to) in parts {
            expected.extend(&Stereo::zeros(pause));
            expected.extend(&all.slice(from..to.min(all.len())));
        }
        let decoded = decode(&with_edits(&file, edits)).unwrap();
        assert!(decoded.report.is_clean(), "{name}: {:?}", decoded.report);
        let audio = decoded.only();
        assert_eq!(audio.len(), expected.len(), "{name}");
        assert_eq!(decoded.source.frames, Some(audio.frames()), "{name}");
        let db = stereo_snr_db(&expected, audio);
        assert!(db > 100.0, "{name}: {db:.1} dB");
        let mut at = 0;
        for &(pause, from, to) in parts {
            let silence = audio.slice(at..at + pause);
            assert!(silence.planes().concat().iter().all(|&sample| sample == 0.0), "{name}");
            at += pause + (to - from);
        }
    }
}

#[test]
fn a_pause_between_two_edits_is_silence_of_its_length() {
    let (first, second) = (1024..1024 + 500 * UNIT, 30_000..30_000 + 300 * UNIT);
    check(
        &[(500, first.start as i32), (250, PAUSE), (300, second.start as i32)],
        &[(0, first.start, first.end), (250 * UNIT, second.start, second.end)],
    );
    // Two pauses add up, one in front of sound alone and one behind the last edit are none.
    check(
        &[(700, PAUSE), (100, 1024), (20, PAUSE), (30, PAUSE), (100, 1024 + 4800), (900, PAUSE)],
        &[(0, 1024, 1024 + 4800), (50 * UNIT, 1024 + 4800, 1024 + 9600)],
    );
}

#[test]
fn what_lies_between_two_edits_is_left_out() {
    check(
        &[(100, 2000), (100, 20_000), (100, 40_000)],
        &[(0, 2000, 6800), (0, 20_000, 24_800), (0, 40_000, 44_800)],
    );
}

#[test]
fn edits_that_follow_each_other_lose_nothing_to_rounding() {
    // Edits of 100.1 and 99.9 ms, in whole milliseconds.
    check(&[(100, 2000), (100, 6805), (100, 11_600)], &[(0, 2000, 16_400)]);
    check(&[(100, 2000), (100, 6795), (100, 11_595)], &[(0, 2000, 16_395)]);
}

#[test]
fn lists_that_cannot_be_followed_begin_with_their_first_edit() {
    let workshop = Workshop::new();
    let (arguments, name) = FORMS[0];
    let file = workshop.make(&signal(RATE, 2, 0.3), arguments, name);
    let all = workshop.stereo(name, 2, "");
    let decoded = |edits: &[(u32, i32)], limits: &DecodeLimits| {
        let bytes = with_edits(&file, edits);
        let mut decoder =
            Decoder::open(uploads::complete(&bytes), &Input::Container, limits).unwrap();
        let mut audio = Stereo::new();
        while let Some(block) = decoder.next_block().unwrap() {
            audio.extend(&block.audio);
        }
        audio
    };
    let from_first = all.slice(1000..all.len());
    let limits = DecodeLimits::default();
    // A part that is repeated, and a longer list than the limit.
    assert!(decoded(&[(100, 1000), (100, 2000)], &limits) == from_first);
    let cut = [(10, 1000), (50, PAUSE), (10, 5000)];
    let few = DecodeLimits { edits: 2, ..DecodeLimits::default() };
    assert!(decoded(&cut, &few) == from_first);
    assert_eq!(decoded(&cut, &limits).len(), 70 * UNIT);
    // No more silence is inserted than the limit on gaps, whatever the list states.
    let short = DecodeLimits { gap_frames: 100, ..DecodeLimits::default() };
    assert_eq!(
        decoded(&[(10, 1000), (u32::MAX, PAUSE), (10, 5000)], &short).len(),
        20 * UNIT + 100
    );
}
