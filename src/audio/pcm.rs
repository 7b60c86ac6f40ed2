//! PCM encodings: conversion between samples and little-endian bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::audio::stereo::Stereo;

/// How one sample is stored.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// IEEE 754 single precision, full scale 1.0; never clips.
    #[default]
    F32Le,
    /// Signed 16-bit integer.
    S16Le,
    /// Signed 24-bit integer in three bytes.
    S24Le,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Encoding; 3] = [Encoding::F32Le, Encoding::S16Le, Encoding::S24Le];

    /// The name in options and file formats.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::F32Le => "f32le",
            Encoding::S16Le => "s16le",
            Encoding::S24Le => "s24le",
        }
    }

    /// The gain, at most 1, at which a sample of this magnitude does not clip; 1 for floats, which never clip.
    pub fn fitting_gain(self, peak: f32) -> f32 {
        if self == Encoding::F32Le || peak <= 0.0 {
            return 1.0;
        }
        // A step of 16 bits below full scale, which the positive side of integers lacks.
        (32_767.0 / 32_768.0 / peak).min(1.0)
    }

    /// Bytes of one sample of one channel.
    pub const fn bytes_per_sample(self) -> usize {
        match self {
            Encoding::F32Le => 4,
            Encoding::S16Le => 2,
            Encoding::S24Le => 3,
        }
    }

    /// Appends `samples` to `bytes` and returns how many were clipped to full scale.
    ///
    /// Integers are rounded to nearest, half to even, and 1.0 is 2^(bits-1), as decoders read them
    /// back. A NaN becomes silence and counts as clipped.
    pub fn write(self, samples: impl Iterator<Item = f32>, bytes: &mut Vec<u8>) -> u64 {
        let mut clipped = 0;
        match self {
            Encoding::F32Le => samples.for_each(|s| bytes.extend_from_slice(&s.to_le_bytes())),
            Encoding::S16Le => samples.for_each(|s| {
                let value = quantize(s, 15, &mut clipped);
                bytes.extend_from_slice(&value.to_le_bytes()[..2]);
            }),
            Encoding::S24Le => samples.for_each(|s| {
                let value = quantize(s, 23, &mut clipped);
                bytes.extend_from_slice(&value.to_le_bytes()[..3]);
            }),
        }
        clipped
    }

    /// Appends the frames of `audio`, interleaved, as [`write`](Encoding::write) does.
    pub fn write_frames(self, audio: &Stereo, bytes: &mut Vec<u8>) -> u64 {
        let mut clipped = 0;
        match self {
            Encoding::F32Le => append(audio, bytes, f32::to_le_bytes),
            Encoding::S16Le => append(audio, bytes, |s| {
                let [low, high, ..] = quantize(s, 15, &mut clipped).to_le_bytes();
                [low, high]
            }),
            Encoding::S24Le => append(audio, bytes, |s| {
                let [low, middle, high, _] = quantize(s, 23, &mut clipped).to_le_bytes();
                [low, middle, high]
            }),
        }
        clipped
    }

    /// Reads interleaved frames; an incomplete last frame is dropped.
    pub fn read_frames(self, bytes: &[u8]) -> Stereo {
        match self {
            Encoding::F32Le => frames(bytes, f32::from_le_bytes),
            Encoding::S16Le => frames(bytes, |b| f32::from(i16::from_le_bytes(b)) / 32_768.0),
            Encoding::S24Le => frames(bytes, |[a, b, c]| {
                (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0
            }),
        }
    }

    /// Reads samples; an incomplete last sample is dropped.
    pub fn read(self, bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
        bytes.chunks_exact(self.bytes_per_sample()).map(move |b| match self {
            Encoding::F32Le => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Encoding::S16Le => f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0,
            Encoding::S24Le => {
                (i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8) as f32 / 8_388_608.0
            }
        })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not the name of an encoding.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an encoding: use f32le, s16le or s24le")]
pub struct UnknownEncoding(String);

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(text: &str) -> Result<Encoding, UnknownEncoding> {
        let found = Encoding::ALL.into_iter().find(|encoding| encoding.name() == text);
        found.ok_or_else(|| UnknownEncoding(text.to_owned()))
    }
}

/// Appends frames, encoding each sample with `encode`.
fn append<const N: usize>(
    audio: &Stereo,
    bytes: &mut Vec<u8>,
    mut encode: impl FnMut(f32) -> [u8; N],
) {
    let start = bytes.len();
    bytes.resize(start + audio.len() * Stereo::CHANNELS * N, 0);
    let (samples, _) = bytes[start..].as_chunks_mut::<N>();
    let (frames, _) = samples.as_chunks_mut::<2>();
    for ([left, right], (&l, &r)) in frames.iter_mut().zip(audio.left().iter().zip(audio.right())) {
        (*left, *right) = (encode(l), encode(r));
    }
}

/// Reads frames, decoding each sample with `decode`.
fn frames<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f32) -> Stereo {
    let (frames, _) = bytes.as_chunks::<N>().0.as_chunks::<2>();
    let mut audio = Stereo::zeros(frames.len());
    let [left, right] = audio.planes_mut();
    for ((left, right), &[l, r]) in left.iter_mut().zip(right).zip(frames) {
        (*left, *right) = (decode(l), decode(r));
    }
    audio
}

/// `sample` times 2^`bits`, rounded and clamped to a signed integer of `bits + 1` bits.
fn quantize(sample: f32, bits: u32, clipped: &mut u64) -> i32 {
    let full_scale = f64::from(1_u32 << bits);
    // An `f64` of this size has no fractional bits, so that the addition rounds, half to even. Two
    // instructions on every processor; larger values are clamped anyway.
    const ROUNDING: f64 = 1.5 * (1_u64 << 52) as f64;
    let value = f64::from(sample) * full_scale + ROUNDING - ROUNDING;
    let clamped = value.clamp(-full_scale, full_scale - 1.0);
    // Also true for a NaN, which equals nothing.
    *clipped += u64::from(clamped != value);
    clamped as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(encoding: Encoding, samples: &[f32], bytes: &[u8], clipped: u64) {
        let mut written = Vec::new();
        assert_eq!(encoding.write(samples.iter().copied(), &mut written), clipped);
        assert_eq!(written, bytes);
    }

    #[test]
    fn integers_round_and_clip() {
        check(Encoding::S16Le, &[0.0, 0.5, -1.0], &[0, 0, 0, 0x40, 0, 0x80], 0);
        check(Encoding::S16Le, &[1.0, -1.1], &[0xff, 0x7f, 0, 0x80], 2);
        check(Encoding::S24Le, &[0.5, -1.0, 2.0], &[0, 0, 0x40, 0, 0, 0x80, 0xff, 0xff, 0x7f], 1);
        check(Encoding::S16Le, &[f32::NAN], &[0, 0], 1);
        let half = 0.5 / 32_768.0;
        check(Encoding::S16Le, &[half, 3.0 * half, -half], &[0, 0, 2, 0, 0, 0], 0);
        check(Encoding::S16Le, &[f32::MAX, f32::NEG_INFINITY], &[0xff, 0x7f, 0, 0x80], 2);
    }

    #[test]
    fn nothing_clips_at_the_fitting_gain() {
        for encoding in Encoding::ALL {
            for peak in [0.0, 0.5, 1.0, 1.5, 100.0] {
                let gain = encoding.fitting_gain(peak);
                assert_eq!(gain < 1.0, encoding != Encoding::F32Le && peak >= 1.0, "{encoding}");
                let samples = [peak * gain, -peak * gain];
                assert_eq!(encoding.write(samples.into_iter(), &mut Vec::new()), 0, "{encoding}");
            }
        }
    }

    #[test]
    fn samples_survive_a_round_trip() {
        for encoding in Encoding::ALL {
            let samples: Vec<f32> = (-100..100).map(|i| i as f32 / 128.0).collect();
            let mut bytes = Vec::new();
            assert_eq!(encoding.write(samples.iter().copied(), &mut bytes), 0);
            assert_eq!(encoding.read(&bytes).collect::<Vec<_>>(), samples);
            let frames = encoding.read_frames(&bytes);
            assert_eq!(frames.interleaved().collect::<Vec<_>>(), samples);
            let mut again = vec![9];
            assert_eq!(encoding.write_frames(&frames, &mut again), 0);
            assert_eq!(again[1..], bytes);
        }
    }
}
