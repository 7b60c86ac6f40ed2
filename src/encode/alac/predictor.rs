//! The adaptive predictor: a filter whose coefficients follow the signs of what it missed.

use super::bits::BitWriter;

/// Samples that a prediction is made of.
pub(super) const ORDER: usize = 8;

/// Coefficients are fractions of 2^9.
const SCALE_BITS: u32 = 9;

/// The coefficients in front of the first packet, in sixteenths.
const FIRST: [i16; 3] = [38, -29, -2];

/// Divisor of the factor by which Rice coding adapts: 4 means as configured.
const RICE_MODIFIER: u32 = 4;

/// The predictor of a channel. Its coefficients are written in front of each packet.
#[derive(Clone)]
pub(super) struct Predictor {
    coefficients: [i16; ORDER],
}

impl Default for Predictor {
    fn default() -> Predictor {
        let mut coefficients = [0; ORDER];
        for (coefficient, first) in coefficients.iter_mut().zip(FIRST) {
            *coefficient = first << (SCALE_BITS - 4);
        }
        Predictor { coefficients }
    }
}

impl Predictor {
    /// Writes the coefficients with which a decoder begins.
    pub(super) fn write(&self, packet: &mut BitWriter) {
        // Mode 0: the predictor alone.
        packet.push(SCALE_BITS, 8);
        packet.push(RICE_MODIFIER << 5 | ORDER as u32, 8);
        for &coefficient in &self.coefficients {
            packet.push(u32::from(coefficient as u16), 16);
        }
    }

    /// Replaces `residuals` by what the prediction of `samples`, which have `bits` bits, misses. Adapts the coefficients as
    /// a decoder does, also in how sums wrap.
    pub(super) fn predict(&mut self, samples: &[i32], bits: u32, residuals: &mut Vec<i32>) {
        residuals.clear();
        let unused = 32 - bits;
        let wrap = |value: i32| value << unused >> unused;
        let differences = samples.iter().zip(samples.iter().skip(1));
        residuals.extend(samples.first());
        residuals.extend(
            differences.take(ORDER).map(|(before, &sample)| wrap(sample.wrapping_sub(*before))),
        );
        for window in samples.windows(ORDER + 2) {
            let (oldest, sample) = (window[0], window[ORDER + 1]);
            let mut missed = [0; ORDER];
            let mut sum = 1_i32 << (SCALE_BITS - 1);
            for (index, (missed, &coefficient)) in
                missed.iter_mut().zip(&self.coefficients).enumerate()
            {
                *missed = oldest.wrapping_sub(window[ORDER - index]);
                sum = sum.wrapping_sub(i32::from(coefficient).wrapping_mul(*missed));
            }
            let residual = wrap(sample.wrapping_sub(oldest).wrapping_sub(sum >> SCALE_BITS));
            residuals.push(residual);
            self.adapt(residual, &missed);
        }
    }

    /// Moves the coefficients, the oldest first, until what is left of the residual changes its sign.
    fn adapt(&mut self, residual: i32, missed: &[i32; ORDER]) {
        let sign = residual.signum();
        let mut left = residual;
        for (index, (coefficient, &missed)) in
            self.coefficients.iter_mut().zip(missed).enumerate().rev()
        {
            if left.signum() != sign || sign == 0 {
                return;
            }
            let step = sign * missed.signum();
            *coefficient = coefficient.wrapping_sub(step as i16);
            let share = step.wrapping_mul(missed) >> SCALE_BITS;
            left = left.wrapping_sub(((ORDER - index) as i32).wrapping_mul(share));
        }
    }
}
