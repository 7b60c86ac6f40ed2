use super::*;

/// The name of a kind and its numbers.
type NamedNote = (&'static str, Option<u64>, Option<u64>, Option<u64>);

#[track_caller]
fn check(record: &SourceRecord, expected: &[NamedNote]) {
    let notes = record.notes(Hertz(44_100));
    let found: Vec<_> =
        notes.iter().map(|note| (note.kind.as_str(), note.from, note.to, note.count)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_source_that_is_separated_as_it_is_has_no_notes() {
    check(&SourceRecord::for_test(44_100, 2), &[]);
}

#[test]
fn conversions_have_the_values_before_and_after() {
    let resampled = ("RESAMPLED", Some(96_000), Some(44_100), None);
    let lost = ("BAND_LOST", Some(48_000), Some(22_050), None);
    check(
        &SourceRecord::for_test(96_000, 6),
        &[resampled, lost, ("DOWNMIXED", Some(6), Some(2), None)],
    );
    let resampled = ("RESAMPLED", Some(8_000), Some(44_100), None);
    check(&SourceRecord::for_test(8_000, 1), &[resampled, ("MONO_COPIED", Some(1), Some(2), None)]);
}

#[test]
fn what_decoding_repaired_is_counted() {
    let report = DecodeReport {
        damaged_packets: 2,
        skipped_bytes: 3,
        missing_frames: Frames(4),
        ..DecodeReport::default()
    };
    let damaged = SourceRecord { report, damaged: Frames(9), ..SourceRecord::for_test(44_100, 2) };
    let count = |kind, count| (kind, None, None, Some(count));
    check(
        &damaged,
        &[
            count("FRAMES_SILENCED", 9),
            count("PACKETS_DAMAGED", 2),
            count("BYTES_SKIPPED", 3),
            count("FRAMES_MISSING", 4),
        ],
    );
}

#[test]
fn one_of_several_tracks_has_a_number() {
    let track = AudioTrack { number: 2, count: 3 };
    let record = SourceRecord { track, ..SourceRecord::for_test(44_100, 2) };
    check(&record, &[("TRACK_CHOSEN", None, Some(2), Some(3))]);
}

#[test]
fn a_cover_that_is_not_kept_has_a_note() {
    let record = SourceRecord { cover_left_out: true, ..SourceRecord::for_test(44_100, 2) };
    check(&record, &[("COVER_LEFT_OUT", None, None, Some(1))]);
}

#[test]
fn records_of_0_1_0_are_read() {
    let text = r#"{"container":"MP3","codec":"MP3","rate":48000,"channels":2,"frames":48000,"damaged":7,"output_rate":44100}"#;
    let record: SourceRecord = serde_json::from_str(text).unwrap();
    let kinds: Vec<_> = record.notes(Hertz(44_100)).iter().map(|note| note.kind.as_str()).collect();
    assert_eq!(kinds, ["RESAMPLED", "BAND_LOST", "FRAMES_SILENCED"]);
    assert_eq!(serde_json::to_string(&record).unwrap(), text);
}
