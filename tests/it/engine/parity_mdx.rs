//! MDX-Net's stems against those of the reference implementation, and what holds of them without one.
//!
//! `tests/golden/make_mdx_golden.py` made the golden files.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use safetensors::SafeTensors;
use stemwire::audio::{Encoding, Frames, Stereo};
use stemwire::session::settings::{Accompaniment, Normalization};
use stemwire::session::{Session, SessionState, Settings};

use crate::support::golden::{mixture, snr};
use crate::support::pipeline::{
    golden, mixture_upload, read_wav, separate, separations, stem, wait_for, wav,
};

/// Minimum SNR against the golden files, in dB.
const LEAST_SNR: f64 = 100.0;

/// Frames of a segment, and before the track in the first one.
const SEGMENT: usize = 31_744;
const MARGIN: usize = 1024;

/// Factor of the vocals in the accompaniment.
const COMPENSATION: f32 = 1.035;

/// Mode, channels and frames of a case.
type Key = (String, usize, usize);

/// For each excerpt its first frame, and its left and its right channel.
type Excerpts = Vec<(usize, [Vec<f32>; 2])>;

fn cases() -> BTreeMap<Key, Excerpts> {
    let bytes = fs::read(golden().join("mdx.safetensors")).unwrap();
    let mut cases: BTreeMap<_, Excerpts> = BTreeMap::new();
    for (key, tensor) in SafeTensors::deserialize(&bytes).unwrap().iter() {
        let [mode, numbers @ ..] = &key.split('/').collect::<Vec<_>>()[..] else { panic!("{key}") };
        let numbers: Vec<usize> = numbers.iter().map(|part| part.parse().unwrap()).collect();
        let samples: Vec<f32> = Encoding::F32Le.read(tensor.data()).collect();
        let (left, right) = samples.split_at(tensor.shape()[1]);
        let case = cases.entry(((*mode).to_owned(), numbers[0], numbers[1])).or_default();
        case.push((numbers[2], [left.to_vec(), right.to_vec()]));
    }
    assert_eq!(cases.len(), 11);
    cases
}

fn settings(model: &str, normalization: Normalization) -> Settings {
    let model = Some(model.to_owned());
    Settings { model, normalization, ..Settings::default() }
}

/// The golden model, and beside it the same with denoising, `mdx-denoise`.
fn models() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let card = fs::read_to_string(golden().join("mdx-tiny/card.toml")).unwrap();
    let denoise = card
        .replace("\"mdx-tiny\"", "\"mdx-denoise\"")
        .replace("compensation = ", "denoise = true\ncompensation = ");
    for (name, card) in [("mdx-tiny", &card), ("mdx-denoise", &denoise)] {
        let model = folder.path().join(name);
        fs::create_dir(&model).unwrap();
        fs::write(model.join("card.toml"), card).unwrap();
        fs::copy(golden().join("mdx-tiny/mdx-tiny.onnx"), model.join("mdx-tiny.onnx")).unwrap();
    }
    folder
}

#[track_caller]
fn check(session: &Session, (mode, channels, frames): &Key, excerpts: &Excerpts) {
    let found = stem(session, "vocals");
    assert_eq!(found.frames(), Frames::from_len(*frames));
    let pairs = excerpts.iter().flat_map(|(start, channels)| {
        let channels = channels.iter().zip(found.planes());
        channels.flat_map(move |(expected, found)| expected.iter().zip(&found[*start..]))
    });
    let snr = snr(pairs);
    println!("{mode}, {channels} channels, {frames} frames: {snr:.1} dB");
    assert!(snr >= LEAST_SNR, "{mode} {channels} {frames}: {snr:.1} dB");
}

/// The largest difference of the accompaniment to the mixture minus `factor` times the vocals.
fn rest_error(session: &Session, mix: &Stereo, factor: f32) -> f32 {
    let (vocals, rest) = (stem(session, "vocals"), stem(session, "accompaniment"));
    let planes = mix.planes().into_iter().zip(vocals.planes()).zip(rest.planes());
    let errors = planes.flat_map(|((mix, vocals), rest)| {
        let frames = mix.iter().zip(vocals).zip(rest);
        frames.map(|((mix, vocals), rest)| (mix - factor * vocals - rest).abs())
    });
    errors.fold(0.0, f32::max)
}

#[test]
fn stems_are_the_references() {
    let (data, models) = (tempfile::tempdir().unwrap(), models());
    let separations = separations(data.path(), Some(models.path()), 2);
    for (key, excerpts) in cases() {
        let (mode, channels, frames) = &key;
        let model = if mode == "denoise" { "mdx-denoise" } else { "mdx-tiny" };
        // Streaming sees the track as it is, exact scales it to the peak of the reference.
        let (level, normalization) = match mode.as_str() {
            "loud" => (3.0, Normalization::Exact),
            _ => (1.0, Normalization::Streaming),
        };
        let upload = mixture_upload(*channels, *frames, level);
        let session = separate(&separations, settings(model, normalization), &upload);
        check(&session, &key, &excerpts);
        if *channels == 2 {
            let mix = mixture(&read_wav(&golden().join("clip.wav")), *frames, level);
            assert!(rest_error(&session, &mix, COMPENSATION) <= 1e-6, "{frames}");
        }
    }
}

#[test]
fn the_accompaniment_by_subtraction_adds_up_to_the_mixture() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    let minus = Settings {
        accompaniment: Accompaniment::Minus,
        ..settings("mdx-tiny", Normalization::Streaming)
    };
    let session = separate(&separations, minus, &mixture_upload(2, 60_001, 1.0));
    let mix = mixture(&read_wav(&golden().join("clip.wav")), 60_001, 1.0);
    assert!(rest_error(&session, &mix, 1.0) <= 1e-6);
}

#[test]
fn silence_stays_silence() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    for normalization in [Normalization::Streaming, Normalization::Exact] {
        let upload = wav(&Stereo::zeros(SEGMENT + 1), 44_100);
        let session = separate(&separations, settings("mdx-tiny", normalization), &upload);
        for name in ["vocals", "accompaniment"] {
            let found = stem(&session, name);
            assert_eq!(found.len(), SEGMENT + 1);
            assert!(found.planes().into_iter().flatten().all(|sample| sample.abs() <= 1e-6));
        }
    }
}

#[test]
fn streaming_begins_with_the_first_segment_without_its_margin() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    let upload = mixture_upload(2, 4 * SEGMENT, 1.0);
    let streaming = settings("mdx-tiny", Normalization::Streaming);
    let (session, _) = separations.create(streaming).unwrap();
    // Of the header, and of blocks that the decoder holds back, a part of a segment.
    let begin = 8 * (2 * SEGMENT - MARGIN);
    separations.add_bytes(&session, 0, &upload[..begin]).unwrap();
    wait_for(|| session.manifest().commit.stems > Frames::ZERO);
    separations.add_bytes(&session, begin as u64, &upload[begin..]).unwrap();
    separations.finish_upload(&session, upload.len() as u64, None).unwrap();
    assert_eq!(separations.wait(&session, Duration::from_secs(600)), SessionState::Done);
    let whole = separate(&separations, settings("mdx-tiny", Normalization::Streaming), &upload);
    assert!(stem(&session, "vocals") == stem(&whole, "vocals"));
}
