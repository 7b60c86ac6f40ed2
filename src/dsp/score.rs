//! Compares an estimated stem with the true one: SDR and SI-SDR in dB.

use crate::audio::Stereo;

/// Sums over the frames compared so far, both channels together.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Score {
    truth: f64,
    estimate: f64,
    product: f64,
    error: f64,
}

impl Score {
    /// Adds the next frames of both. The shorter one is padded with silence.
    pub fn add(&mut self, truth: &Stereo, estimate: &Stereo) {
        for (truth, estimate) in truth.planes().into_iter().zip(estimate.planes()) {
            let length = truth.len().max(estimate.len());
            for index in 0..length {
                let t = f64::from(truth.get(index).copied().unwrap_or(0.0));
                let e = f64::from(estimate.get(index).copied().unwrap_or(0.0));
                self.truth += t * t;
                self.estimate += e * e;
                self.product += t * e;
                self.error += (t - e) * (t - e);
            }
        }
    }

    /// Whether the true stem is digital silence, for which no ratio is defined.
    pub fn is_silent(&self) -> bool {
        self.truth == 0.0
    }

    /// Energy of the true stem over that of the error, in dB; infinite without an error. This is the
    /// SDR of MUSDB's tables since 2021 (Mitsufuji et al., "Music Demixing Challenge 2021"), over the
    /// whole track.
    pub fn sdr(&self) -> f64 {
        decibels(self.truth, self.error)
    }

    /// The same with the true stem scaled to fit the estimate best, in dB: independent of the
    /// estimate's loudness (Le Roux et al. 2019, "SDR – half-baked or well done?").
    pub fn si_sdr(&self) -> f64 {
        let nearest = self.product * self.product / self.truth;
        decibels(nearest, (self.estimate - nearest).max(0.0))
    }
}

fn decibels(signal: f64, noise: f64) -> f64 {
    if signal == 0.0 { f64::NEG_INFINITY } else { 10.0 * (signal / noise).log10() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stereo(left: &[f32], right: &[f32]) -> Stereo {
        Stereo::from_planes(left.to_vec(), right.to_vec()).unwrap()
    }

    #[track_caller]
    fn check(truth: &Stereo, estimate: &Stereo, sdr: f64, si_sdr: f64) {
        let mut score = Score::default();
        score.add(truth, estimate);
        let (found, scaled) = (score.sdr(), score.si_sdr());
        assert!(found == sdr || (found - sdr).abs() < 1e-4, "SDR {found}, not {sdr}");
        assert!(
            scaled == si_sdr || (scaled - si_sdr).abs() < 1e-4,
            "SI-SDR {scaled}, not {si_sdr}"
        );
    }

    #[test]
    fn ratios_equal_those_computed_by_hand() {
        let truth = stereo(&[1.0, 0.0], &[0.0, 1.0]);
        check(&truth, &truth, f64::INFINITY, f64::INFINITY);
        // Half as loud: a quarter of the energy is missing, the shape is the same.
        check(&truth, &stereo(&[0.5, 0.0], &[0.0, 0.5]), 6.0206, f64::INFINITY);
        check(&truth, &stereo(&[0.0, 0.0], &[0.0, 0.0]), 0.0, f64::NEG_INFINITY);
        // A tenth of something else in each channel: 2 / 0.02.
        check(&truth, &stereo(&[1.0, 0.1], &[0.1, 1.0]), 20.0, 20.0);
    }

    #[test]
    fn pieces_equal_the_whole_and_a_missing_end_is_silence() {
        let (truth, estimate) =
            (stereo(&[0.3, -0.2, 0.9], &[0.1; 3]), stereo(&[0.2; 2], &[0.1; 2]));
        let mut whole = Score::default();
        whole.add(&truth, &estimate);
        let mut pieces = Score::default();
        pieces.add(&truth.slice(0..1), &estimate.slice(0..1));
        pieces.add(&truth.slice(1..3), &estimate.slice(1..2));
        assert_eq!(whole, pieces);
        let mut padded = estimate;
        padded.resize(3);
        check(&truth, &padded, whole.sdr(), whole.si_sdr());
        assert!(!whole.is_silent() && Score::default().is_silent());
    }
}
