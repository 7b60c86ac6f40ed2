//! RoFormers' stems against those of the reference implementation, and what holds of them without one.
//!
//! `tests/golden/make_roformer_golden.py` made the golden files. The models are imported with their configurations, so their
//! graphs are those that users get.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use stemwire::audio::{Encoding, Frames, Stereo};
use stemwire::model::registry::import::{ImportRequest, import};
use stemwire::session::{Session, Settings};

use crate::support::golden::{mixture, snr};
use crate::support::pipeline::{golden, read_wav, separate, separations, stem, wait_for, wav};

/// The models and their stems.
const MODELS: [(&str, &[&str]); 2] = [("mel_tiny", &["vocals"]), ("bs_tiny", &["vocals", "drums"])];

/// Minimum SNR against the golden files, in dB.
const LEAST_SNR: f64 = 100.0;

/// Frames of a segment.
const SEGMENT: usize = 60_060;

/// Model, overlaps, channels and frames of a case.
type Key = (String, u32, usize, usize);

/// For each excerpt its first frame, and the left and the right channel of every stem.
type Excerpts = Vec<(usize, Vec<[Vec<f32>; 2]>)>;

fn cases() -> BTreeMap<Key, Excerpts> {
    let bytes = fs::read(golden().join("roformer.safetensors")).unwrap();
    let mut cases: BTreeMap<_, Excerpts> = BTreeMap::new();
    for (key, tensor) in SafeTensors::deserialize(&bytes).unwrap().iter() {
        let (model, numbers) = key.split_once('/').unwrap();
        let numbers: Vec<usize> = numbers.split('/').map(|part| part.parse().unwrap()).collect();
        let [overlaps, channels, frames, start] = numbers[..] else { panic!("{key}") };
        let samples: Vec<f32> = Encoding::F32Le.read(tensor.data()).collect();
        let length = tensor.shape()[2];
        let channel: Vec<Vec<f32>> = samples.chunks(length).map(<[f32]>::to_vec).collect();
        let excerpt = channel.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
        let case = cases.entry((model.to_owned(), overlaps as u32, channels, frames)).or_default();
        case.push((start, excerpt));
    }
    assert_eq!(cases.len(), 11);
    cases
}

/// Imports both models into a folder.
fn import_models(folder: &Path) {
    for (name, _) in MODELS {
        let files = [golden().join("roformer").join(format!("{name}.ckpt"))];
        let request = ImportRequest {
            name: &name.parse().unwrap(),
            published: None,
            paths: &files,
            allow_unverified: true,
            config: Some(&golden().join("roformer").join(format!("{name}.yaml"))),
            stems: &[],
            graph: None,
            mdx: Default::default(),
        };
        import(&request, folder, &mut |_| {}).unwrap();
    }
}

fn settings(model: &str, overlap: Option<f64>) -> Settings {
    Settings { model: Some(model.to_owned()), overlap, ..Settings::default() }
}

/// The golden files' mixture, with their noise.
fn mix(frames: usize) -> Stereo {
    let mut mix = mixture(&read_wav(&golden().join("clip.wav")), frames, 1.0);
    for plane in mix.planes_mut() {
        for (frame, sample) in plane.iter_mut().enumerate() {
            let turns = (frame as f64).powi(2) * 0.618_033_988_749_895;
            *sample += (0.02 * (turns - turns.floor() - 0.5)) as f32;
        }
    }
    mix
}

/// The mixture as an upload of one or two channels.
fn upload(channels: usize, frames: usize) -> Vec<u8> {
    let mix = mix(frames);
    let planes = mix.planes().into_iter().take(channels);
    let planes: Vec<_> = planes.map(<[f32]>::to_vec).collect();
    let spec = hound::WavSpec {
        channels: channels as u16,
        sample_rate: 44_100,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for frame in 0..frames {
        planes.iter().for_each(|plane| writer.write_sample(plane[frame]).unwrap());
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[track_caller]
fn check(session: &Session, key: &Key, excerpts: &Excerpts) {
    let (_, stems) = MODELS.into_iter().find(|(name, _)| *name == key.0).unwrap();
    for (index, name) in stems.iter().enumerate() {
        let found = stem(session, name);
        assert_eq!(found.frames(), Frames::from_len(key.3), "{name}");
        let pairs = excerpts.iter().flat_map(|(start, stems)| {
            let channels = stems[index].iter().zip(found.planes());
            channels.flat_map(move |(expected, found)| expected.iter().zip(&found[*start..]))
        });
        let snr = snr(pairs);
        println!("{key:?}, {name}: {snr:.1} dB");
        assert!(snr >= LEAST_SNR, "{key:?}, {name}: {snr:.1} dB");
    }
}

#[test]
fn stems_with_the_references_windows_are_the_references() {
    let data = tempfile::tempdir().unwrap();
    let models = data.path().join("models");
    import_models(&models);
    let separations = separations(data.path(), Some(&models), 2);
    for (key, excerpts) in cases() {
        let (model, overlaps, channels, frames) = &key;
        let overlap = Some(1.0 - 1.0 / f64::from(*overlaps));
        let session = separate(&separations, settings(model, overlap), &upload(*channels, *frames));
        check(&session, &key, &excerpts);
    }
}

#[test]
fn silence_stays_silence() {
    let data = tempfile::tempdir().unwrap();
    let models = data.path().join("models");
    import_models(&models);
    let separations = separations(data.path(), Some(&models), 2);
    for (model, stems) in MODELS {
        for overlap in [None, Some(0.5)] {
            let upload = wav(&Stereo::zeros(SEGMENT + 1), 44_100);
            let session = separate(&separations, settings(model, overlap), &upload);
            for name in stems {
                let found = stem(&session, name);
                assert_eq!(found.len(), SEGMENT + 1);
                assert!(found.planes().into_iter().flatten().all(|sample| sample.abs() <= 1e-6));
            }
        }
    }
}

#[test]
fn what_a_model_of_vocals_lacks_is_the_mix_without_them() {
    let data = tempfile::tempdir().unwrap();
    let models = data.path().join("models");
    import_models(&models);
    let separations = separations(data.path(), Some(&models), 2);
    let stems = ["vocals", "accompaniment"].map(|name| name.parse().unwrap()).to_vec();
    let settings = Settings { stems, ..settings("mel_tiny", None) };
    let session = separate(&separations, settings, &upload(2, SEGMENT));
    let mix = mix(SEGMENT);
    let (vocals, rest) = (stem(&session, "vocals"), stem(&session, "accompaniment"));
    for ((mix, vocals), rest) in mix.planes().into_iter().zip(vocals.planes()).zip(rest.planes()) {
        for ((mix, vocals), rest) in mix.iter().zip(vocals).zip(rest) {
            assert!((vocals + rest - mix).abs() <= 2e-7, "{vocals} + {rest} is not {mix}");
        }
    }
}

#[test]
fn the_first_stem_is_there_before_the_upload_ends() {
    let data = tempfile::tempdir().unwrap();
    let models = data.path().join("models");
    import_models(&models);
    let separations = separations(data.path(), Some(&models), 2);
    let upload = upload(2, 4 * SEGMENT);
    for overlap in [None, Some(0.5)] {
        let (session, _) = separations.create(settings("mel_tiny", overlap)).unwrap();
        separations.add_bytes(&session, 0, &upload[..upload.len() / 2]).unwrap();
        wait_for(|| session.manifest().commit.stems > Frames::ZERO);
        assert!(session.manifest().level.is_none());
        separations.cancel(&session);
    }
}
