//! The golden files' mixture and model, and comparison with them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use stemwire::audio::Stereo;
use stemwire::model::{Model, Sha256Hash};

/// The golden model's files.
pub const GRAPH: &[u8] = include_bytes!("../../golden/tiny/graph.onnx");
pub const WEIGHTS: &[u8] = include_bytes!("../../golden/tiny/00000000.safetensors");

/// Gains at which the clip is repeated, as in `make_golden.py`.
const GAINS: [f32; 5] = [1.0, 0.5, 0.25, 0.75, 0.125];

/// The clip repeated at changing gain, as in `make_golden.py`.
pub fn mixture(clip: &Stereo, frames: usize, level: f32) -> Stereo {
    let plane = |plane: &[f32]| -> Vec<f32> {
        let sample = |i: usize| plane[i % plane.len()] * GAINS[i / plane.len() % 5] * level;
        (0..frames).map(sample).collect()
    };
    Stereo::from_planes(plane(clip.left()), plane(clip.right())).unwrap()
}

/// The signal-to-noise ratio of the second of each pair against the first, in decibels.
pub fn snr<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f32)>) -> f64 {
    let (mut signal, mut noise) = (0.0, 1e-30);
    for (expected, found) in pairs {
        signal += f64::from(*expected).powi(2);
        noise += (f64::from(*expected) - f64::from(*found)).powi(2);
    }
    10.0 * (signal / noise).log10()
}

/// A model in a folder of its own: the golden graph with weights by file and stem.
pub fn model_of(folder: &Path, name: &str, weights: &[(&str, Option<&str>, &[u8])]) -> Arc<Model> {
    let card =
        include_str!("../../golden/tiny/card.toml").replace("\"tiny\"", &format!("\"{name}\""));
    let mut card = card.split("[weights]").next().unwrap().to_owned();
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("graph.onnx"), GRAPH).unwrap();
    for (file, stem, bytes) in weights {
        fs::write(folder.join(file), bytes).unwrap();
        let sha256 = Sha256Hash::of(bytes);
        card += &format!("[[weights]]\nfile = \"{file}\"\nsha256 = \"{sha256}\"\n");
        card += &stem.map(|stem| format!("stem = \"{stem}\"\n")).unwrap_or_default();
    }
    fs::write(folder.join("card.toml"), card).unwrap();
    Arc::new(Model::in_folder(&folder).unwrap())
}
