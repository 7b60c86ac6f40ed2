use super::*;

#[track_caller]
fn check_spans(total: u64, (length, overlap): (u64, f64), expected: &[Range<u64>]) {
    let windows = Segmentation::new(Frames(length), overlap);
    let spans: Vec<_> = (0..windows.count(Frames(total)))
        .map(|i| windows.segment(i, Frames(total), true).unwrap().span)
        .collect();
    assert_eq!(spans, expected);
    assert_eq!(windows.segment(spans.len() as u64, Frames(total), true), None);
}

#[test]
fn windows_cover_the_track_and_end_with_it() {
    check_spans(0, (4, 0.25), &[]);
    check_spans(2, (4, 0.25), &[Range { start: 0, end: 2 }]);
    check_spans(4, (4, 0.25), &[0..4, 3..4]);
    check_spans(10, (4, 0.25), &[0..4, 3..7, 6..10, 9..10]);
    check_spans(10, (4, 0.5), &[0..4, 2..6, 4..8, 6..10, 8..10]);
    check_spans(9, (4, 0.0), &[0..4, 4..8, 8..9]);
}

#[test]
fn windows_may_begin_within_the_track() {
    let windows = Segmentation::new(Frames(8), 0.25).from(Frames(10), 3);
    assert_eq!(windows.count(Frames(23)), 6);
    assert_eq!(windows.segment(3, Frames(23), true).unwrap().span, 10..18);
    let last = windows.segment(5, Frames(23), true).unwrap();
    // Real earlier audio also from before the origin.
    assert_eq!((last.span, last.shown), (22..23, 19..23));
    assert_eq!(windows.segment(3, Frames(11), true).unwrap().shown, 7..11);
    assert_eq!(windows.segment(4, Frames(11), true), None);
}

#[test]
fn a_window_waits_for_its_frames() {
    let windows = Segmentation::new(Frames(4), 0.25);
    assert_eq!(windows.segment(0, Frames(3), false), None);
    assert!(windows.segment(0, Frames(4), false).is_some());
    assert_eq!(windows.segment(1, Frames(6), false), None);
    assert!(windows.segment(1, Frames(6), true).is_some());
}

#[track_caller]
fn check_padding(total: u64, index: u64, shown: Range<u64>, zeros: usize, trim: usize) {
    let segment = Segmentation::new(Frames(8), 0.25).segment(index, Frames(total), true).unwrap();
    assert_eq!((segment.shown, segment.zeros_before, segment.trim_before), (shown, zeros, trim));
}

// Expected values: `TensorChunk(torch.arange(total), offset, 8).padded(8)` of the reference.
#[test]
fn short_windows_are_centred_among_real_frames() {
    check_padding(20, 0, 0..8, 0, 0);
    check_padding(8, 1, 3..8, 0, 3);
    check_padding(11, 1, 5..11, 0, 1);
    check_padding(5, 0, 0..5, 1, 1);
    check_padding(2, 0, 0..2, 3, 3);
    check_padding(7, 1, 3..7, 0, 3);
}

#[test]
fn the_triangle_is_the_references() {
    assert_eq!(triangle(Frames(4)), [0.5, 1.0, 1.0, 0.5]);
    assert_eq!(triangle(Frames(5)), [1.0 / 3.0, 2.0 / 3.0, 1.0, 2.0 / 3.0, 1.0 / 3.0]);
}

#[test]
fn strides_round_down_as_in_the_reference() {
    let htdemucs = Segmentation::new(Frames(343_980), 0.25);
    assert_eq!(htdemucs.stride(), Frames(257_985));
    assert_eq!(Segmentation::new(Frames(8), 0.999).stride(), Frames(1));
}

// Windows of 3 columns, each under 4 frames, a column a frame: 6 frames every 3.
#[track_caller]
fn check_columns(total: u64, expected: &[(usize, Range<u64>)]) {
    let windows = Segmentation::of_spectrum(Frames(6), Frames(4), Frames(1));
    let found: Vec<_> = (0..windows.count(Frames(total)))
        .map(|i| windows.segment(i, Frames(total), true).unwrap())
        .map(|segment| (segment.zeros_before, segment.shown))
        .collect();
    assert_eq!(found, expected);
    assert!((0..9).all(|i| windows.segment(i, Frames(0), true).is_none()));
}

#[test]
fn windows_of_a_spectrum_follow_each_other_from_before_the_track() {
    check_columns(0, &[]);
    check_columns(1, &[(4, 0..1), (1, 0..1)]);
    check_columns(2, &[(4, 0..2), (1, 0..2)]);
    check_columns(3, &[(4, 0..2), (1, 0..3), (0, 2..3)]);
    check_columns(9, &[(4, 0..2), (1, 0..5), (0, 2..8), (0, 5..9), (0, 8..9)]);
}

#[test]
fn windows_of_a_spectrum_may_begin_within_the_track() {
    let windows = Segmentation::of_spectrum(Frames(6), Frames(4), Frames(1)).from(Frames(3), 7);
    let found: Vec<_> = (7..windows.count(Frames(9)))
        .map(|i| windows.segment(i, Frames(9), true).unwrap())
        .map(|segment| (segment.zeros_before, segment.shown, segment.trim_before, segment.span))
        .collect();
    let expected = [(1, 0..5, 4, 3..5), (0, 2..8, 1, 3..8), (0, 5..9, 0, 5..9), (0, 8..9, 0, 8..9)];
    assert_eq!(found, expected);
    assert_eq!(windows.count(Frames(3)), 7);
}

#[test]
fn spleeters_windows_are_512_columns() {
    let windows = Segmentation::of_spectrum(Frames(527_360), Frames(4096), Frames(1024));
    assert_eq!(windows.stride(), Frames(524_288));
    assert_eq!(windows.segment(0, Frames(523_263), false), None);
    let first = windows.segment(0, Frames(523_264), false).unwrap();
    assert_eq!((first.zeros_before, first.span), (4096, 0..523_264));
    assert_eq!(windows.start(1), Frames(520_192));
    assert_eq!([1, 520_192, 520_193].map(|total| windows.count(Frames(total))), [1, 1, 2]);
}
