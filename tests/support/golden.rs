//! The golden files' mixture, and how near found samples are to theirs.

use stemwire::audio::Stereo;

/// Gains at which the clip is repeated, as in `make_golden.py`.
const GAINS: [f32; 5] = [1.0, 0.5, 0.25, 0.75, 0.125];

/// The clip again and again at changing gain, as in `make_golden.py`.
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
