//! Spleeter's stems against those of the reference implementation, one model for each of its activations.
//!
//! `tests/golden/make_spleeter_golden.py` made the golden files.

use std::collections::BTreeMap;
use std::fs;

use safetensors::SafeTensors;
use stemwire::audio::{Encoding, Frames, Stereo};
use stemwire::dsp::mask::MaskExtension;
use stemwire::session::Settings;

use crate::support::golden::{mixture, snr};
use crate::support::pipeline::{golden, read_wav, separate, separations, stem, wav};

/// Minimum SNR against the golden files, in dB.
const LEAST_SNR: f64 = 75.0;

/// For each excerpt its first frame, and the left and the right channel of every stem.
type Excerpts = Vec<(usize, Vec<[Vec<f32>; 2]>)>;

/// Excerpts of the reference's stems by mask extension and length of the track.
fn cases(stems: usize) -> BTreeMap<(String, usize), Excerpts> {
    let bytes = fs::read(golden().join("spleeter.safetensors")).unwrap();
    let mut cases: BTreeMap<_, Excerpts> = BTreeMap::new();
    for (key, tensor) in SafeTensors::deserialize(&bytes).unwrap().iter() {
        let [count, extension, frames, start] = key.split('/').collect::<Vec<_>>()[..] else {
            panic!("{key}")
        };
        if count != stems.to_string() {
            continue;
        }
        let samples: Vec<f32> = Encoding::F32Le.read(tensor.data()).collect();
        let length = tensor.shape()[2];
        let channels: Vec<Vec<f32>> = samples.chunks(length).map(<[f32]>::to_vec).collect();
        let excerpt = channels.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
        let case = cases.entry((extension.to_owned(), frames.parse().unwrap())).or_default();
        case.push((start.parse().unwrap(), excerpt));
    }
    assert_eq!(cases.len(), 4);
    cases
}

#[track_caller]
fn check(stems: &[&str]) {
    let clip = read_wav(&golden().join("clip.wav"));
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    for ((extension, frames), excerpts) in cases(stems.len()) {
        let mask_extension = match extension.as_str() {
            "zeros" => MaskExtension::Zeros,
            _ => MaskExtension::Average,
        };
        let model = Some(format!("spleeter-tiny-{}stems", stems.len()));
        let settings = Settings { model, mask_extension, ..Settings::default() };
        let session = separate(&separations, settings, &wav(&mixture(&clip, frames, 1.0), 44_100));
        for (index, name) in stems.iter().enumerate() {
            let found: Stereo = stem(&session, name);
            assert_eq!(found.frames(), Frames::from_len(frames), "{name}");
            let pairs = excerpts.iter().flat_map(|(start, stems)| {
                let channels = stems[index].iter().zip(found.planes());
                channels.flat_map(move |(expected, found)| expected.iter().zip(&found[*start..]))
            });
            let snr = snr(pairs);
            println!("{extension} {frames} {name}: {snr:.1} dB");
            assert!(snr >= LEAST_SNR, "{extension} {frames} {name}: {snr:.1} dB");
        }
    }
}

#[test]
fn two_stems_are_the_references() {
    check(&["vocals", "accompaniment"]);
}

#[test]
fn four_stems_are_the_references() {
    check(&["vocals", "drums", "bass", "other"]);
}

#[test]
fn five_stems_are_the_references() {
    check(&["vocals", "piano", "drums", "bass", "other"]);
}
