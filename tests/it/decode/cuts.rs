//! Files that were cut without re-encoding: they begin with their first packet, whatever position it has.

use crate::support::compare::stereo_snr_db;
use crate::support::decode;
use crate::support::ffmpeg::{Workshop, signal};
use stemwire::audio::{Frames, Stereo};
use stemwire::decode::DecodeReport;

/// Cuts 2 s out of a file of 6 s without re-encoding; expects what FFmpeg decodes, but for `slack` frames at the end.
#[track_caller]
fn check(arguments: &str, whole: &str, cuts: &[&str], slack: usize) {
    let workshop = Workshop::new();
    workshop.make(&signal(44_100, 2, 6.0), arguments, whole);
    let mut source = whole;
    for cut in cuts {
        workshop.must(&["-ss", "2.5", "-t", "2", "-i", source, "-c", "copy", cut]);
        source = cut;
        let bytes = std::fs::read(workshop.path(cut)).unwrap();
        let decoded = decode(&bytes).unwrap_or_else(|error| panic!("{cut}: {error}"));
        let mut expected = workshop.stereo(cut, 2, "");
        let mut audio = decoded.only().clone();
        let differ = expected.len().abs_diff(audio.len());
        assert!(differ <= slack, "{cut}: {} frames for {}", audio.len(), expected.len());
        let both = expected.len().min(audio.len());
        expected.resize(both);
        audio.resize(both);
        let found = stereo_snr_db(&expected, &audio);
        assert!(found > 100.0, "{cut} differs from its first frame on: {found:.1} dB");
        // The header of a file whose end alone was cut away states the length of the whole.
        let report = DecodeReport { missing_frames: Frames::ZERO, ..decoded.report };
        assert!(report.is_clean(), "{cut}: {report:?}");
    }
}

#[test]
fn a_cut_file_begins_with_its_first_frame() {
    check("-c:a flac", "1.flac", &["2.flac"], 0);
    check("-c:a flac -frame_size 1000", "1.flac", &["2.flac"], 0);
    // Through Matroska, whose cutting point is another one.
    check("-c:a flac", "1.mkv", &["2.mkv", "3.flac"], 0);
    check("-c:a flac", "1.oga", &["2.oga", "3.flac"], 0);
    check("-c:a flac -strict -2 -sample_fmt s16", "1.mp4", &["2.flac"], 0);
}

#[test]
fn other_cut_files_begin_where_ffmpeg_begins() {
    check("-c:a libmp3lame", "1.mp3", &["2.mp3"], 0);
    check("-c:a aac", "1.m4a", &["2.m4a"], 1024);
    check("-c:a alac", "1.m4a", &["2.m4a"], 0);
    check("-c:a libmp3lame", "1.mkv", &["2.mkv"], 0);
    check("-c:a libvorbis", "1.webm", &["2.webm"], 2048);
    check("-c:a pcm_s16le", "1.wav", &["2.wav"], 0);
}

#[test]
fn segments_are_the_whole_in_pieces() {
    let workshop = Workshop::new();
    for (arguments, ending) in [("-c:a flac", "flac"), ("-c:a flac -frame_size 1152", "oga")] {
        let whole = format!("whole.{ending}");
        let bytes = workshop.make(&signal(44_100, 2, 3.0), arguments, &whole);
        let pieces = format!("piece%d.{ending}");
        workshop.must(&[
            "-i",
            &whole,
            "-f",
            "segment",
            "-segment_time",
            "1",
            "-c",
            "copy",
            &pieces,
        ]);
        let mut joined = Stereo::new();
        for number in 0..3 {
            let path = workshop.path(&format!("piece{number}.{ending}"));
            let decoded = decode(&std::fs::read(path).unwrap()).unwrap();
            assert_eq!(decoded.report.gaps, 0, "{ending}: {number}");
            joined.extend(decoded.only());
        }
        assert!(&joined == decode(&bytes).unwrap().only(), "{ending}");
    }
}

/// A FLAC file without some of its frames, by the numbers in their headers.
fn without_frames(bytes: &[u8], removed: std::ops::Range<u8>) -> Vec<u8> {
    // Of fixed block size, and with numbers of one byte.
    let starts: Vec<usize> = (0..bytes.len() - 6)
        .filter(|&at| {
            bytes[at..].starts_with(b"\xff\xf8") && super::damage::crc8(&bytes[at..at + 6]) == 0
        })
        .collect();
    let at = |number: u8| starts.iter().copied().find(|&at| bytes[at + 4] == number).unwrap();
    [&bytes[..at(removed.start)], &bytes[at(removed.end)..]].concat()
}

#[test]
fn frames_that_follow_each_other_are_not_parted_by_their_numbers() {
    let workshop = Workshop::new();
    let bytes = workshop.make(&signal(44_100, 2, 3.0), "-c:a flac", "a.flac");
    let whole = decode(&bytes).unwrap();
    let block = usize::from(u16::from_be_bytes([bytes[10], bytes[11]]));
    let cut = without_frames(&bytes, 5..9);
    let decoded = decode(&cut).unwrap();
    let mut expected = whole.only().slice(0..5 * block);
    expected.extend(&whole.only().slice(9 * block..whole.only().len()));
    assert!(decoded.only() == &expected);
}

#[test]
fn a_damaged_start_is_as_long_as_its_bytes() {
    let workshop = Workshop::new();
    let mut bytes = workshop.make(&signal(44_100, 2, 3.0), "-c:a flac", "a.flac");
    let whole = decode(&bytes).unwrap();
    let block = usize::from(u16::from_be_bytes([bytes[10], bytes[11]]));
    let first = bytes.windows(2).position(|sync| sync == b"\xff\xf8").unwrap();
    bytes[first..first + 4].fill(0);
    let decoded = decode(&bytes).unwrap();
    assert_eq!(decoded.only().len(), whole.only().len());
    assert!(decoded.only().left()[..block].iter().all(|&sample| sample == 0.0));
    // The same behind a cut: 3 of 30 frames are there, and the first of them is damaged.
    let mut cut =
        without_frames(&workshop.make(&signal(44_100, 2, 3.0), "-c:a flac", "a.flac"), 0..9);
    cut[first..first + 4].fill(0);
    let decoded = decode(&cut).unwrap();
    assert!(decoded.report.silenced_frames.0 <= 2 * block as u64, "{:?}", decoded.report);
}

#[test]
fn a_cut_ogg_stream_begins_where_its_first_page_says() {
    let workshop = Workshop::new();
    for (arguments, rate, decoder, whole, cut) in [
        ("-c:a libvorbis", 44_100, "vorbis", "1.ogg", "2.ogg"),
        ("-c:a libopus", 48_000, "libopus", "1.opus", "2.opus"),
    ] {
        workshop.make(&signal(rate, 2, 6.0), arguments, whole);
        workshop.must(&["-ss", "2.5", "-t", "2", "-i", whole, "-c", "copy", cut]);
        let decoded = decode(&std::fs::read(workshop.path(cut)).unwrap()).unwrap();
        // FFmpeg plays the packets in front of it too, which hold what comes before the cut.
        let input = ["-c:a", decoder, "-request_sample_fmt", "flt", "-i", cut];
        let expected = workshop.stereo_of(&input, 2);
        let front = expected.len() - decoded.only().len();
        let expected = expected.slice(front..expected.len());
        let found = stereo_snr_db(&expected, decoded.only());
        assert!(found > 100.0, "{cut}: {found:.1} dB");
        assert!((2.0..2.1).contains(&(decoded.only().len() as f64 / f64::from(rate))), "{cut}");
        assert_eq!(decoded.report.gaps, 0, "{cut}");
    }
}
