//! Short-time Fourier transform and its inverse, periodic Hann window or none, real signals.
//!
//! Frame `i` of a signal covers its samples `i * hop .. i * hop + size`. The caller pads, because
//! every model family does it differently. Spectra are scaled by `1 / sqrt(size)` in both directions
//! (`normalized=True` in PyTorch), which preserves the signal's energy, unless they are [unscaled](Stft::unscaled).
//!
//! Frames are transformed in pairs: one complex transform with the first frame as its real and the
//! second as its imaginary part takes half the time of two. In a pair's spectrum, bin `k` and its
//! mirror, bin `size - k`, together hold bin `k` of both frames: [`pack`], [`unpack`].

use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// One bin of one frame, or of a pair.
pub type Bin = Complex<f32>;

/// The transform of one size and hop, with its FFT plans and scratch memory.
#[derive(Clone)]
pub struct Stft {
    size: usize,
    hop: usize,
    window: Arc<[f64]>,
    /// Window times the scale of the transform.
    analysis: Vec<f32>,
    /// The same, divided by the sum of the overlapping squared windows.
    synthesis: Vec<f32>,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    scratch: Vec<Bin>,
}

impl Stft {
    /// Frames of `size` samples (even, at least 4), `hop` samples apart, under a periodic Hann window.
    pub fn new(size: usize, hop: usize) -> Stft {
        Stft::with_window(periodic_hann(size), hop, true)
    }

    /// The same without the scale, as `normalized=False` in PyTorch.
    pub fn unscaled(size: usize, hop: usize) -> Stft {
        Stft::with_window(periodic_hann(size), hop, false)
    }

    /// The same under the Hann window as PyTorch computes it: in 32 bits, so that its smallest weights are off by as much as a
    /// thousandth. A network that normalises each frame sees that where only the edge of a window lies on sound.
    pub fn under_rounded_window(size: usize, hop: usize) -> Stft {
        let turn = std::f64::consts::TAU / size as f64;
        let weight = |at: usize| 0.5 - 0.5 * (at as f32 * turn as f32).cos();
        Stft::with_window((0..size).map(|at| f64::from(weight(at))).collect(), hop, true)
    }

    /// The same without a window.
    pub fn without_window(size: usize, hop: usize) -> Stft {
        Stft::with_window(vec![1.0; size], hop, true)
    }

    fn with_window(window: Vec<f64>, hop: usize, is_scaled: bool) -> Stft {
        let size = window.len();
        let mut planner = FftPlanner::new();
        let forward = planner.plan_fft_forward(size);
        let inverse = planner.plan_fft_inverse(size);
        let scratch = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        // rustfft does not scale in either direction.
        let scale = 1.0 / (size as f64).sqrt();
        let [there, back] = if is_scaled { [scale, scale] } else { [1.0, scale * scale] };
        let gain = gain(&window, hop);
        let scaled = |by: f64| window.iter().map(|weight| (weight * by) as f32).collect();
        Stft {
            size,
            hop,
            analysis: scaled(there),
            synthesis: scaled(back / gain),
            forward,
            inverse,
            scratch: vec![Bin::default(); scratch],
            window: window.into(),
        }
    }

    /// Samples of a frame, and bins of a pair's spectrum.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bins of a frame, from 0 to half the sample rate: `size / 2 + 1`.
    pub fn bins(&self) -> usize {
        self.size / 2 + 1
    }

    /// Samples between the starts of consecutive frames.
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// Samples that `count` frames cover.
    pub fn samples(&self, count: usize) -> usize {
        if count == 0 { 0 } else { (count - 1) * self.hop + self.size }
    }

    /// The factors of the samples under `count` frames that make [`add`](Stft::add) restore the signal also where fewer frames
    /// than elsewhere overlap, or where the squared windows do not sum to a constant. Zero where there is no window.
    pub fn balance(&self, count: usize) -> Vec<f32> {
        let mut sums = vec![0.0; self.samples(count)];
        for frame in 0..count {
            let covered = sums[frame * self.hop..].iter_mut().zip(self.window.iter());
            covered.for_each(|(sum, weight)| *sum += weight * weight);
        }
        let gain = gain(&self.window, self.hop);
        let factor = |sum: f64| if sum > LEAST_SUM { (gain / sum) as f32 } else { 0.0 };
        sums.into_iter().map(factor).collect()
    }

    /// Writes the spectrum of two frames, the first `size` samples of each of `signals`, into the first
    /// `size` bins of `pair`.
    pub fn analyse(&mut self, signals: [&[f32]; 2], pair: &mut [Bin]) {
        let pair = &mut pair[..self.size];
        let samples = signals[0].iter().zip(signals[1]);
        for ((value, (&first, &second)), weight) in pair.iter_mut().zip(samples).zip(&self.analysis)
        {
            *value = Bin::new(first * weight, second * weight);
        }
        self.forward.process_with_scratch(pair, &mut self.scratch);
    }

    /// Transforms a pair's spectrum back to its frames in place: the real parts are the first frame, the
    /// imaginary parts the second. [`add`](Stft::add) adds them to the signals.
    pub fn synthesise(&mut self, pair: &mut [Bin]) {
        self.inverse.process_with_scratch(&mut pair[..self.size], &mut self.scratch);
    }

    /// Adds a windowed frame to the first `size` samples of `signal`; `part` selects it from its pair.
    /// Where `size / hop` unchanged frames have been added, the original signal is restored.
    pub fn add(&self, pair: &[Bin], part: impl Fn(&Bin) -> f32, signal: &mut [f32]) {
        for ((sample, value), weight) in signal.iter_mut().zip(pair).zip(&self.synthesis) {
            *sample += part(value) * weight;
        }
    }
}

/// A pair's bin and its mirror from the corresponding bins of its two frames.
///
/// Where both are the same bin, at 0 and at half the sample rate, use [`pack_real`].
#[inline]
pub fn pack(first: Bin, second: Bin) -> [Bin; 2] {
    [
        Bin::new(first.re - second.im, first.im + second.re),
        Bin::new(first.re + second.im, second.re - first.im),
    ]
}

/// A pair's bin at 0 or half the sample rate. These are real for real signals: imaginary parts are
/// ignored, as PyTorch does.
#[inline]
pub fn pack_real(first: Bin, second: Bin) -> Bin {
    Bin::new(first.re, second.re)
}

/// The bins of both frames from a pair's bin and its mirror.
#[inline]
pub fn unpack(bin: Bin, mirrored: Bin) -> [Bin; 2] {
    [
        Bin::new(0.5 * (bin.re + mirrored.re), 0.5 * (bin.im - mirrored.im)),
        Bin::new(0.5 * (bin.im + mirrored.im), 0.5 * (mirrored.re - bin.re)),
    ]
}

/// Writes `signal` into `padded`, with `before` samples mirrored at its start and mirrored samples at
/// its end up to the length of `padded`; the end samples are not repeated.
///
/// Where the signal is shorter than its mirror image, the rest is zero.
pub fn reflect_pad(signal: &[f32], before: usize, padded: &mut [f32]) {
    let len = signal.len();
    let (head, rest) = padded.split_at_mut(before);
    let (middle, tail) = rest.split_at_mut(len);
    for (sample, at) in head.iter_mut().rev().zip(1..) {
        *sample = signal.get(at).copied().unwrap_or(0.0);
    }
    middle.copy_from_slice(signal);
    for (sample, at) in tail.iter_mut().zip(2..) {
        *sample = len.checked_sub(at).map_or(0.0, |at| signal[at]);
    }
}

/// Least sum of squared windows that is divided by, as in PyTorch.
const LEAST_SUM: f64 = 1e-11;

/// What the squared windows sum to where `size / hop` frames overlap, on average.
fn gain(window: &[f64], hop: usize) -> f64 {
    window.iter().map(|weight| weight * weight).sum::<f64>() / hop as f64
}

/// The periodic Hann window: sample `size` would equal sample 0.
fn periodic_hann(size: usize) -> Vec<f64> {
    let turn = std::f64::consts::TAU / size as f64;
    (0..size).map(|i| 0.5 - 0.5 * (turn * i as f64).cos()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synthesis_inverts_analysis() {
        check_inverse(Stft::new(64, 16));
        check_inverse(Stft::without_window(64, 16));
        check_inverse(Stft::under_rounded_window(64, 16));
    }

    #[track_caller]
    fn check_inverse(mut stft: Stft) {
        let signal: Vec<f32> = (0..320).map(|i| ((i * i) as f32 * 0.01).sin()).collect();
        let mut padded = vec![0.0; 64 + 320 + 64];
        reflect_pad(&signal, 64, &mut padded);
        let count = (padded.len() - 64) / 16 + 1;
        assert_eq!(stft.samples(count), padded.len());
        let mut back = vec![0.0; padded.len()];
        let mut pair = vec![Bin::default(); 64];
        for frame in (0..count).step_by(2) {
            let (first, second) = (frame * 16, (frame + 1).min(count - 1) * 16);
            stft.analyse([&padded[first..], &padded[second..]], &mut pair);
            // The spectra of both frames, and from them the pair again.
            let unpacked: Vec<[Bin; 2]> =
                (0..33).map(|k| unpack(pair[k], pair[(64 - k) % 64])).collect();
            pair.fill(Bin::default());
            for (k, [first, second]) in unpacked.into_iter().enumerate() {
                if k % 32 == 0 {
                    pair[k] = pack_real(first, second);
                } else {
                    [pair[k], pair[64 - k]] = pack(first, second);
                }
            }
            stft.synthesise(&mut pair);
            stft.add(&pair, |value| value.re, &mut back[first..]);
            if second > first {
                stft.add(&pair, |value| value.im, &mut back[second..]);
            }
        }
        for (there, back) in signal.iter().zip(&back[64..]) {
            assert!((there - back).abs() < 1e-5, "{there} {back}");
        }
    }

    #[test]
    fn sines_have_their_magnitudes_in_their_bins() {
        let mut stft = Stft::new(64, 16);
        let sine = |bin: f32| -> Vec<f32> {
            (0..64).map(|i| (i as f32 * std::f32::consts::TAU * bin / 64.0).cos()).collect()
        };
        let mut pair = vec![Bin::default(); 64];
        stft.analyse([&sine(4.0), &sine(8.0)], &mut pair);
        let [four, eight] = [4, 8].map(|k| unpack(pair[k], pair[64 - k]));
        // Half the amplitude, times the window's mean (1/2), times size, over sqrt(size).
        assert!((four[0].re - 0.25 * 8.0).abs() < 1e-4 && four[1].norm() < 1e-4);
        assert!((eight[1].re - 0.25 * 8.0).abs() < 1e-4 && eight[0].norm() < 1e-4);
    }

    #[track_caller]
    fn check_reflect(signal: &[f32], before: usize, after: usize, expected: &[f32]) {
        let mut padded = vec![9.0; before + signal.len() + after];
        reflect_pad(signal, before, &mut padded);
        assert_eq!(padded, expected);
    }

    #[test]
    fn reflection_leaves_the_ends_out() {
        check_reflect(&[1.0, 2.0, 3.0, 4.0], 2, 3, &[3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0]);
        check_reflect(&[1.0], 1, 1, &[0.0, 1.0, 0.0]);
    }
}
