//! Stems against those of the reference implementation, in both modes of the pipeline.
//!
//! `tests/golden/make_golden.py` made the golden files.

use std::collections::BTreeMap;
use std::fs;

use safetensors::SafeTensors;
use stemwire::audio::{Encoding, Frames};
use stemwire::session::Settings;
use stemwire::session::settings::Normalization;

use crate::support::golden::{mixture, snr};
use crate::support::pipeline::{golden, read_wav, separate, separations, stem, wav};

const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// Minimum SNR against the golden files, in dB.
const LEAST_SNR: f64 = 75.0;

/// A case: its length, its level, and excerpts of the reference's stems by their first frame.
struct Case {
    frames: usize,
    level: f32,
    /// For each excerpt the left and the right channel of every stem.
    excerpts: BTreeMap<usize, Vec<[Vec<f32>; 2]>>,
}

fn cases() -> BTreeMap<String, Case> {
    let bytes = fs::read(golden().join("reference.safetensors")).unwrap();
    let (_, head) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut cases = BTreeMap::new();
    for (name, text) in head.metadata().as_ref().unwrap() {
        let case: serde_json::Value = serde_json::from_str(text).unwrap();
        let frames = case["frames"].as_u64().unwrap() as usize;
        let level = case["level"].as_f64().unwrap() as f32;
        cases.insert(name.clone(), Case { frames, level, excerpts: BTreeMap::new() });
    }
    for (key, tensor) in SafeTensors::deserialize(&bytes).unwrap().iter() {
        let (name, start) = key.split_once('/').unwrap();
        let samples: Vec<f32> = Encoding::F32Le.read(tensor.data()).collect();
        let [_, _, length] = tensor.shape()[..] else { panic!("{:?}", tensor.shape()) };
        let channels: Vec<Vec<f32>> = samples.chunks(length).map(<[f32]>::to_vec).collect();
        let stems = channels.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
        cases.get_mut(name).unwrap().excerpts.insert(start.parse().unwrap(), stems);
    }
    assert_eq!(cases.len(), 5);
    cases
}

fn check_mode(normalization: Normalization) {
    let clip = read_wav(&golden().join("clip.wav"));
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    for (name, case) in cases() {
        let model = Some("tiny".to_owned());
        let settings = Settings { model, normalization, ..Settings::default() };
        let upload = wav(&mixture(&clip, case.frames, case.level), 44_100);
        let session = separate(&separations, settings, &upload);
        for (index, stem_name) in STEMS.iter().enumerate() {
            let found = stem(&session, stem_name);
            assert_eq!(found.frames(), Frames::from_len(case.frames), "{name}");
            let pairs = case.excerpts.iter().flat_map(|(&start, stems)| {
                let channels = stems[index].iter().zip(found.planes());
                channels.flat_map(move |(expected, found)| expected.iter().zip(&found[start..]))
            });
            let snr = snr(pairs);
            println!("{normalization:?} {name} {stem_name}: {snr:.1} dB");
            assert!(snr >= LEAST_SNR, "{name} {stem_name}: {snr:.1} dB");
        }
    }
}

#[test]
fn exact_stems_are_the_references() {
    check_mode(Normalization::Exact);
}

#[test]
fn streaming_stems_are_the_references() {
    check_mode(Normalization::Streaming);
}
