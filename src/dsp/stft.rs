//! Short-time Fourier transform and its inverse, periodic Hann window, real signals.
//!
//! Frame `i` of a signal covers its samples `i * hop .. i * hop + size`; padding is the caller's
//! business, because every model family has its own. Spectra are scaled by `1 / sqrt(size)` both ways
//! (`normalized=True` in PyTorch), so that they have the signal's own magnitude.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// One bin of one frame.
pub type Bin = Complex<f32>;

/// The transform of one size and hop, with its plans and scratch memory.
pub struct Stft {
    size: usize,
    hop: usize,
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    time: Vec<f32>,
    spectrum: Vec<Bin>,
    scratch: Vec<Bin>,
}

impl Stft {
    /// Frames of `size` samples (even, at least 4), `hop` samples apart.
    pub fn new(size: usize, hop: usize) -> Stft {
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(size);
        let inverse = planner.plan_fft_inverse(size);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Stft {
            size,
            hop,
            window: periodic_hann(size),
            time: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            scratch: vec![Bin::default(); scratch],
            forward,
            inverse,
        }
    }

    /// Bins of a frame, from 0 to half the sample rate: `size / 2 + 1`.
    pub fn bins(&self) -> usize {
        self.size / 2 + 1
    }

    /// Samples from one frame's start to the next one's.
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// Samples under `count` frames.
    pub fn samples(&self, count: usize) -> usize {
        if count == 0 { 0 } else { (count - 1) * self.hop + self.size }
    }

    /// What overlapping squared windows sum to where `size / hop` frames overlap: the inverse
    /// transform of unchanged frames is the signal times this.
    pub fn gain(&self) -> f32 {
        let total: f64 = self.window.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
        (total / self.hop as f64) as f32
    }

    /// The spectrum of the `size` samples at the head of `signal`.
    pub fn analyse(&mut self, signal: &[f32]) -> &[Bin] {
        for ((time, &sample), &weight) in self.time.iter_mut().zip(signal).zip(&self.window) {
            *time = sample * weight;
        }
        self.forward
            .process_with_scratch(&mut self.time, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made by this plan");
        let scale = self.scale();
        for bin in &mut self.spectrum {
            *bin *= scale;
        }
        &self.spectrum
    }

    /// Adds the windowed inverse of one spectrum to the `size` samples at the head of `signal`.
    ///
    /// `fill` writes the `bins()` of the spectrum. The imaginary parts of the first and the last have
    /// no meaning for a real signal and are ignored, as PyTorch does.
    pub fn synthesise(&mut self, fill: impl FnOnce(&mut [Bin]), signal: &mut [f32]) {
        fill(&mut self.spectrum);
        let last = self.spectrum.len() - 1;
        self.spectrum[0].im = 0.0;
        self.spectrum[last].im = 0.0;
        self.inverse
            .process_with_scratch(&mut self.spectrum, &mut self.time, &mut self.scratch)
            .expect("the buffers were made by this plan, and the outer bins are real");
        let scale = self.scale();
        for ((sample, &time), &weight) in signal.iter_mut().zip(&self.time).zip(&self.window) {
            *sample += time * scale * weight;
        }
    }

    /// Neither direction of the transform scales by itself.
    fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }
}

/// `signal` with `before` and `after` samples mirrored at its ends, the end samples not repeated.
///
/// A signal shorter than the mirror image is mirrored as far as it reaches, then held at zero.
pub fn reflect_pad(signal: &[f32], before: usize, after: usize) -> Vec<f32> {
    let len = signal.len();
    let mut padded = Vec::with_capacity(before + len + after);
    padded.extend((1..=before).rev().map(|i| signal.get(i).copied().unwrap_or(0.0)));
    padded.extend_from_slice(signal);
    let mirrored = |i: usize| len.checked_sub(i + 2).map_or(0.0, |at| signal[at]);
    padded.extend((0..after).map(mirrored));
    padded
}

/// The Hann window whose next sample would be its first.
fn periodic_hann(size: usize) -> Vec<f32> {
    let turn = std::f64::consts::TAU / size as f64;
    (0..size).map(|i| (0.5 - 0.5 * (turn * i as f64).cos()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn analysis_and_synthesis_give_the_signal_back() {
        let mut stft = Stft::new(64, 16);
        let signal: Vec<f32> = (0..320).map(|i| ((i * i) as f32 * 0.01).sin()).collect();
        let padded = reflect_pad(&signal, 64, 64);
        let count = (padded.len() - 64) / 16 + 1;
        let mut back = vec![0.0; padded.len()];
        for frame in 0..count {
            let spectrum = stft.analyse(&padded[frame * 16..]).to_vec();
            stft.synthesise(|bins| bins.copy_from_slice(&spectrum), &mut back[frame * 16..]);
        }
        for (there, back) in signal.iter().zip(&back[64..]) {
            assert!((there - back / stft.gain()).abs() < 1e-5, "{there} {back}");
        }
        assert_eq!(stft.samples(count), padded.len());
    }

    #[test]
    fn a_sine_has_its_magnitude_in_its_bin() {
        let mut stft = Stft::new(64, 16);
        let sine: Vec<f32> =
            (0..64).map(|i| (i as f32 * std::f32::consts::TAU * 4.0 / 64.0).cos()).collect();
        let spectrum = stft.analyse(&sine);
        // Half the amplitude, times the window's mean (1/2), times size, over sqrt(size).
        assert!((spectrum[4].re - 0.25 * 8.0).abs() < 1e-4);
        assert!(spectrum[8].norm() < 1e-4);
    }

    #[track_caller]
    fn check_reflect(signal: &[f32], before: usize, after: usize, expected: &[f32]) {
        assert_eq!(reflect_pad(signal, before, after), expected);
    }

    #[test]
    fn reflection_leaves_the_ends_out() {
        check_reflect(&[1.0, 2.0, 3.0, 4.0], 2, 3, &[3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0]);
        check_reflect(&[1.0], 1, 1, &[0.0, 1.0, 0.0]);
    }
}
