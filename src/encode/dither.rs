//! Dither of 16-bit integers.

use super::{Encode, EncodeError, FileSpec};
use crate::audio::{Encoding, Frames, Stereo};

/// One step of 16 bits.
const STEP: f32 = 1.0 / 32_768.0;

/// Samples beyond this magnitude would clip with dither.
const HIGHEST: f32 = 1.0 - 2.0 * STEP;

/// Triangular noise of one step around zero, which makes the error of rounding independent of the music. It is a pure
/// function of the seed, the frame and the channel: a part of a file has the bytes that it has in the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dither {
    seed: u64,
    channels: usize,
}

impl Dither {
    /// The dither of a file; `None` if its samples are not integers of 16 bits.
    pub fn of(spec: &FileSpec) -> Option<Dither> {
        let dither = Dither { seed: spec.dither_seed, channels: spec.channels };
        (spec.format.encoding() == Encoding::S16Le).then_some(dither)
    }

    /// A seed from a name: stems that are played together get independent noise, which does not add up.
    pub fn seed(name: &str) -> u64 {
        name.bytes().fold(0, |seed, byte| mix(seed ^ u64::from(byte)))
    }

    /// A block with dither, which begins at frame `start` of the file. Digital silence stays silent, and samples at full
    /// scale, which could clip, stay as they are. Files of one channel get the mean of both in both.
    pub fn apply(self, start: Frames, block: &Stereo) -> Stereo {
        let mut dithered = match self.channels {
            1 => {
                let mono: Vec<f32> = block.mono().collect();
                Stereo::from_planes(mono.clone(), mono).unwrap_or_default()
            }
            _ => block.clone(),
        };
        let [left, right] = dithered.planes_mut();
        for (index, (left, right)) in left.iter_mut().zip(right).enumerate() {
            let random = mix(self.seed.wrapping_add(start.0 + index as u64));
            add(left, random);
            // The mean of two equal samples is their value.
            add(right, if self.channels == 1 { random } else { random >> 32 });
        }
        dithered
    }
}

/// Adds the difference of two uniform numbers of 16 bits.
fn add(sample: &mut f32, random: u64) {
    // A NaN is neither.
    if *sample != 0.0 && sample.abs() <= HIGHEST {
        let uniform = |bits: u64| f32::from(bits as u16) / 65_536.0;
        *sample += (uniform(random) - uniform(random >> 16)) * STEP;
    }
}

/// Scatters the bits of a counter (SplitMix64).
fn mix(counter: u64) -> u64 {
    let mut bits = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// An encoder of 16-bit integers whose audio gets dither.
pub(super) struct DitheredEncoder {
    pub(super) dither: Dither,
    pub(super) written: Frames,
    pub(super) encoder: Box<dyn Encode>,
}

impl Encode for DitheredEncoder {
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError> {
        let dithered = self.dither.apply(self.written, block);
        self.written += block.frames();
        self.encoder.write(&dithered)
    }

    fn finish(self: Box<Self>) -> Result<(), EncodeError> {
        self.encoder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DITHER: Dither = Dither { seed: 7, channels: 2 };

    fn constant(level: f32, frames: usize) -> Stereo {
        Stereo::from_planes(vec![level; frames], vec![level; frames]).unwrap()
    }

    /// The error in steps, of a constant level.
    fn errors(level: f32, channel: usize) -> Vec<f64> {
        let dithered = DITHER.apply(Frames(123), &constant(level * STEP, 100_000));
        let mut bytes = Vec::new();
        Encoding::S16Le.write_frames(&dithered, &mut bytes);
        let rounded = Encoding::S16Le.read_frames(&bytes);
        rounded.planes()[channel].iter().map(|&s| f64::from(s / STEP - level)).collect()
    }

    #[test]
    fn neither_mean_nor_power_of_the_error_depends_on_the_level() {
        for (level, channel) in [(0.1, 0), (0.5, 1), (100.25, 0), (-3.9, 1)] {
            let errors = errors(level, channel);
            let mean = errors.iter().sum::<f64>() / errors.len() as f64;
            let power = errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64;
            // A twelfth of rounding and a sixth of triangular noise.
            assert!(mean.abs() < 0.01 && (power - 0.25).abs() < 0.01, "{level}: {mean} {power}");
            // Neighbours are independent.
            let products = errors.windows(2).map(|pair| pair[0] * pair[1]);
            assert!((products.sum::<f64>() / errors.len() as f64).abs() < 0.01);
        }
        let product = errors(0.3, 0).iter().zip(errors(0.3, 1)).map(|(a, b)| a * b).sum::<f64>();
        assert!((product / 100_000.0).abs() < 0.01, "the channels are independent");
    }

    #[test]
    fn a_part_has_the_samples_of_the_whole() {
        let audio = constant(0.3, 1000);
        let whole = DITHER.apply(Frames::ZERO, &audio);
        let part = DITHER.apply(Frames(300), &audio.slice(300..500));
        assert_eq!(whole.slice(300..500), part);
        let other = Dither { seed: Dither::seed("drums"), ..DITHER };
        assert_ne!(other.apply(Frames::ZERO, &audio), whole);
    }

    #[test]
    fn silence_and_full_scale_stay_as_they_are() {
        for level in [0.0, 1.0, -1.0, 2.5, 32_767.0 * STEP] {
            let audio = constant(level, 100);
            assert_eq!(DITHER.apply(Frames::ZERO, &audio), audio, "{level}");
        }
    }
}
