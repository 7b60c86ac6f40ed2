//! Compares signals.

use stemwire::audio::Stereo;

/// SNR in dB of a signal against another; infinite for equal signals.
pub fn snr_db(expected: &[f32], found: &[f32]) -> f64 {
    let power = |sum: f64, sample: f64| sum + sample * sample;
    let signal = expected.iter().map(|&e| f64::from(e)).fold(0.0, power);
    let noise =
        expected.iter().zip(found).map(|(&e, &f)| f64::from(e) - f64::from(f)).fold(0.0, power);
    10.0 * (signal / noise).log10()
}

/// The worse of both channels.
pub fn stereo_snr_db(expected: &Stereo, found: &Stereo) -> f64 {
    let [left, right] = [0, 1].map(|side| snr_db(expected.planes()[side], found.planes()[side]));
    left.min(right)
}
