//! Tracks: uploads at one rate.

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::{decode, uploads};
use stemwire::audio::{Frames, Hertz, Stereo};
use stemwire::decode::track::TrackReader;
use stemwire::decode::{DecodeLimits, Input};

/// An upload as a track.
pub(super) fn track(bytes: &[u8], rate: Hertz) -> (Stereo, TrackReader) {
    let (upload, limits) = (uploads::complete(bytes), DecodeLimits::default());
    let mut reader = TrackReader::open(upload, &Input::Container, &limits, rate).unwrap();
    let mut track = Stereo::new();
    while let Some(block) = reader.next_block().unwrap() {
        assert!(!block.is_empty());
        track.extend(&block);
    }
    assert!(reader.next_block().unwrap().is_none());
    (track, reader)
}

#[test]
fn a_track_has_one_rate_whatever_its_links_have() {
    let workshop = Workshop::new();
    let first = workshop.make(&signal(48_000, 2, 1.1), "-c:a flac", "1.flac");
    let second = workshop.make(&signal(22_050, 1, 0.7), "-c:a flac", "2.flac");
    let rate = Hertz(44_100);
    let (chain, reader) = track(&[&first[..], &second].concat(), rate);
    let (one, _) = track(&first, rate);
    let (two, alone) = track(&second, rate);
    let mut both = one.clone();
    both.extend(&two);
    assert!(chain == both);
    assert_eq!(one.frames(), Frames(52_800).resampled(Hertz(48_000), rate));
    assert_eq!(two.frames(), Frames(15_435).resampled(Hertz(22_050), rate));
    // The second link, as long as it would be at the rate of the first.
    let second_frames = Frames(15_435).resampled(Hertz(22_050), Hertz(48_000));
    assert_eq!(reader.source_frames(), Frames(52_800) + second_frames);
    assert_eq!(alone.source_frames(), Frames(15_435));
    assert_eq!((reader.source().rate, reader.report().links), (Hertz(48_000), 2));
}

#[test]
fn a_track_at_its_own_rate_is_untouched() {
    let workshop = Workshop::new();
    let bytes = workshop.make(&signal(44_100, 2, 1.1), "-c:a pcm_s16le", "1.wav");
    let (track, reader) = track(&bytes, Hertz(44_100));
    assert!(track == *decode(&bytes).unwrap().only());
    assert_eq!(reader.source_frames(), track.frames());
}

#[test]
fn a_track_reader_moves_to_its_thread() {
    fn moves<T: Send>() {}
    moves::<TrackReader>();
}

#[test]
fn a_rate_that_no_track_has_is_refused() {
    let workshop = Workshop::new();
    let bytes = workshop.make(&signal(44_100, 2, 0.2), "-c:a pcm_s16le", "1.wav");
    let (upload, limits) = (uploads::complete(&bytes), DecodeLimits::default());
    let error = TrackReader::open(upload, &Input::Container, &limits, Hertz(100)).err().unwrap();
    assert!(error.to_string().starts_with("100 Hz cannot be resampled"), "{error}");
}
