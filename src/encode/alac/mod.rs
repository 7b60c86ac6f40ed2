//! Apple Lossless: encodes packets of 16 or 24 bits, mono or stereo.
//!
//! The bit stream is that of Apple's reference implementation (Apache-2.0, github.com/macosforge/alac), without its search
//! over predictor orders: one order, and coefficients that stay adapted from packet to packet. 24-bit samples are split into
//! 16 bits that are predicted and 8 that are stored as they are, which predict nothing.

mod bits;
mod predictor;
mod rice;

use crate::audio::Hertz;
use bits::BitWriter;
use predictor::{ORDER, Predictor};

/// Frames of every packet but the last.
pub(crate) const PACKET_FRAMES: usize = 4096;

/// The mixing of stereo weighs the left channel by quarters.
const MIX_BITS: u32 = 2;

/// Element tags.
const SINGLE: u32 = 0;
const PAIR: u32 = 1;
const END: u32 = 7;

/// Bits per sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlacDepth {
    Bits16,
    Bits24,
}

impl AlacDepth {
    /// The number of bits.
    pub(crate) const fn bits(self) -> u32 {
        match self {
            AlacDepth::Bits16 => 16,
            AlacDepth::Bits24 => 24,
        }
    }

    /// The decoder's configuration (`ALACSpecificConfig`), given the bytes of the largest packet and the mean bits per
    /// second.
    pub(crate) fn config(self, rate: Hertz, channels: u8, largest: u32, bit_rate: u32) -> Vec<u8> {
        let mut config = (PACKET_FRAMES as u32).to_be_bytes().to_vec();
        let [multiplier, first_mean, max_parameter] = rice::PARAMETERS;
        // Version 0. The largest run is for decoders to ignore.
        config.extend([
            0,
            self.bits() as u8,
            multiplier,
            first_mean,
            max_parameter,
            channels,
            0,
            255,
        ]);
        for number in [largest, bit_rate, rate.0] {
            config.extend(number.to_be_bytes());
        }
        config
    }
}

/// Encodes packets of one or two channels.
pub(crate) struct AlacEncoder {
    depth: AlacDepth,
    predictors: Vec<Predictor>,
    /// Predicted samples of each channel, then their residuals.
    mixed: Vec<Vec<i32>>,
    residuals: Vec<Vec<i32>>,
}

impl AlacEncoder {
    /// An encoder of one or two channels.
    pub(crate) fn new(depth: AlacDepth, channels: usize) -> AlacEncoder {
        debug_assert!((1..=2).contains(&channels));
        AlacEncoder {
            depth,
            predictors: vec![Predictor::default(); channels],
            mixed: vec![Vec::with_capacity(PACKET_FRAMES); channels],
            residuals: vec![Vec::with_capacity(PACKET_FRAMES); channels],
        }
    }

    /// Encodes a packet of at most [`PACKET_FRAMES`] frames, given the samples of each channel.
    pub(crate) fn encode(&mut self, planes: &[&[i32]]) -> Vec<u8> {
        debug_assert_eq!(planes.len(), self.predictors.len());
        let frames = planes[0].len();
        debug_assert!((1..=PACKET_FRAMES).contains(&frames));
        let is_silent = planes.iter().all(|plane| plane.iter().all(|&sample| sample == 0));
        // Silence is shorter in one piece.
        let split = if self.depth == AlacDepth::Bits24 && !is_silent { 8 } else { 0 };
        let mut packet = BitWriter::with_capacity(frames * planes.len() * 3 + 16);
        let is_short = frames <= ORDER;
        if !is_short {
            self.compress(planes, split, &mut packet);
        }
        // FFmpeg refuses packets that are shorter than the predictor.
        if is_short || packet.bits() >= header_bits(frames) + self.stored_bits(frames) {
            packet.clear();
            self.store(planes, &mut packet);
        }
        packet.push(END, 3);
        packet.into_bytes()
    }

    fn compress(&mut self, planes: &[&[i32]], split: u32, packet: &mut BitWriter) {
        let weight = mix(planes, split, &mut self.mixed);
        self.begin(planes[0].len(), split, false, packet);
        // Decoders refuse a weight of one channel.
        packet.push(if planes.len() == 2 { MIX_BITS } else { 0 }, 8);
        packet.push(weight as u32, 8);
        // The difference of two channels has a bit more.
        let bits = self.depth.bits() - split + (planes.len() as u32 - 1);
        for predictor in &self.predictors {
            predictor.write(packet);
        }
        if split > 0 {
            for frame in 0..planes[0].len() {
                for plane in planes {
                    packet.push(plane[frame] as u32 & ((1 << split) - 1), split);
                }
            }
        }
        for ((predictor, mixed), residuals) in
            self.predictors.iter_mut().zip(&self.mixed).zip(&mut self.residuals)
        {
            predictor.predict(mixed, bits, residuals);
            rice::write(residuals, bits, packet);
        }
    }

    /// Writes the samples as they are.
    fn store(&self, planes: &[&[i32]], packet: &mut BitWriter) {
        self.begin(planes[0].len(), 0, true, packet);
        let bits = self.depth.bits();
        for frame in 0..planes[0].len() {
            for plane in planes {
                packet.push(plane[frame] as u32 & ((1 << bits) - 1), bits);
            }
        }
    }

    fn begin(&self, frames: usize, split: u32, is_stored: bool, packet: &mut BitWriter) {
        packet.push(if self.predictors.len() == 2 { PAIR } else { SINGLE }, 3);
        // Number of the element, and reserved bits.
        packet.push(0, 4 + 12);
        let is_partial = frames != PACKET_FRAMES;
        packet.push(u32::from(is_partial), 1);
        packet.push(split / 8, 2);
        packet.push(u32::from(is_stored), 1);
        if is_partial {
            packet.push(frames as u32, 32);
        }
    }

    fn stored_bits(&self, frames: usize) -> usize {
        frames * self.predictors.len() * self.depth.bits() as usize
    }
}

/// Bits in front of stored samples.
fn header_bits(frames: usize) -> usize {
    if frames == PACKET_FRAMES { 23 } else { 55 }
}

/// Mixes two channels into a weighted mean and their difference if that is shorter, without the lowest `split` bits.
/// Returns the weight of the left channel; 0 if the channels stay as they are.
fn mix(planes: &[&[i32]], split: u32, mixed: &mut [Vec<i32>]) -> i32 {
    for (mixed, plane) in mixed.iter_mut().zip(planes) {
        mixed.clear();
        mixed.extend(plane.iter().map(|&sample| sample >> split));
    }
    let [left, right] = mixed else { return 0 };
    let pairs = || left.iter().copied().zip(right.iter().copied());
    // Ties go to the channels as they are.
    let weight =
        (0..=1 << MIX_BITS).min_by_key(|&weight| cost(pairs().map(|pair| weigh(pair, weight))));
    let weight = weight.unwrap_or(0);
    for (left, right) in left.iter_mut().zip(right) {
        (*left, *right) = weigh((*left, *right), weight);
    }
    weight
}

fn weigh((left, right): (i32, i32), weight: i32) -> (i32, i32) {
    match weight {
        0 => (left, right),
        _ => ((weight * left + ((1 << MIX_BITS) - weight) * right) >> MIX_BITS, left - right),
    }
}

/// An estimate of the bits that two channels take: from the mean size of what their second differences are.
fn cost(pairs: impl Iterator<Item = (i32, i32)>) -> u64 {
    let mut sums = [1_u64; 2];
    let mut last = [[0_i32; 2]; 2];
    let mut count = 1_u64;
    for (first, second) in pairs {
        for ((sum, [before, last]), sample) in sums.iter_mut().zip(&mut last).zip([first, second]) {
            let difference = sample - *last;
            *sum += u64::from((difference - *before).unsigned_abs());
            (*before, *last) = (difference, sample);
        }
        count += 1;
    }
    // In 1/1024 of a bit.
    sums.iter().map(|&sum| ((sum as f64 / count as f64 + 1.0).log2() * 1024.0) as u64).sum()
}
