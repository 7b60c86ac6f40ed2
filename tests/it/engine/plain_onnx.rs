//! Self-contained graphs with a card: the contract of `models/README.md`, from upload to stems.
//!
//! `tests/golden/make_plain.py` made them: each stem is a known share of the mixture.

use std::f32::consts::TAU;
use std::time::Duration;

use stemwire::audio::Stereo;
use stemwire::session::{SessionState, Settings};

use crate::support::compare::snr_db;
use crate::support::pipeline::{golden, separate, separations, stem, wav};

/// Two seconds of tones, different left and right, none near half the sample rate, which spectra drop.
fn tones() -> Stereo {
    let tone = |pitches: [f32; 2]| -> Vec<f32> {
        let sine = |n: usize, pitch: f32| (n as f32 / 44_100.0 * pitch * TAU).sin() * 0.2;
        (0..88_200).map(|n| pitches.into_iter().map(|pitch| sine(n, pitch)).sum()).collect()
    };
    Stereo::from_planes(tone([220.0, 5000.0]), tone([330.0, 1310.0])).unwrap()
}

/// Separates the tones with `model` and compares each stem with its share of them, except `edge` frames at both
/// ends: as in the reference, few columns of a spectrum cover those.
fn check(model: &str, edge: usize, least_snr: f64) {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden().join("plain")), 1);
    let song = tones();
    let settings = Settings { model: Some(model.to_owned()), ..Settings::default() };
    let session = separate(&separations, settings, &wav(&song, 44_100));
    for (name, share) in [("vocals", 0.25), ("other", 0.75)] {
        let found = stem(&session, name);
        assert_eq!(found.len(), song.len());
        for (song, found) in song.planes().into_iter().zip(found.planes()) {
            let expected: Vec<f32> = song.iter().map(|sample| sample * share).collect();
            let inner = edge..song.len() - edge;
            let snr = snr_db(&expected[inner.clone()], &found[inner]);
            assert!(snr >= least_snr, "{model} {name}: {snr:.1} dB");
        }
    }
    let engine = session.manifest().engine.clone().unwrap();
    assert!(!engine.verified && engine.weights.len() == 64);
}

#[test]
fn waveforms_go_in_and_come_out_as_they_are() {
    check("waveform", 0, 120.0);
    check("open", 0, 120.0);
}

#[test]
fn spectra_are_made_and_undone() {
    check("spectrogram", 1024, 40.0);
}

#[test]
fn a_stem_is_its_waveform_plus_that_of_its_spectrum() {
    check("both", 1024, 40.0);
}

#[test]
fn a_graph_with_too_few_values_fails_with_their_number() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden().join("plain")), 1);
    let settings =
        Settings { model: Some("wrong".into()), allow_fallback: false, ..Settings::default() };
    let (session, _) = separations.create(settings).unwrap();
    let upload = wav(&tones(), 44_100);
    separations.add_bytes(&session, 0, &upload).unwrap();
    separations.finish_upload(&session, upload.len() as u64, None).unwrap();
    assert_eq!(separations.wait(&session, Duration::from_secs(60)), SessionState::Failed);
    let failure = session.manifest().failure.clone().unwrap();
    assert!(failure.message.contains("not 131072"), "{}", failure.message);
}
