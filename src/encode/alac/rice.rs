//! Adaptive Golomb-Rice coding of residuals, with runs of zeros.

use super::bits::BitWriter;

/// Multiplier of new values in the mean, first mean, and largest parameter: as in the configuration.
pub(super) const PARAMETERS: [u8; 3] = [MULTIPLIER as u8, FIRST_MEAN as u8, MAX_PARAMETER as u8];

const MULTIPLIER: u32 = 40;
const FIRST_MEAN: u32 = 10;
const MAX_PARAMETER: u32 = 14;

/// The mean is a fraction of 2^9.
const MEAN_BITS: u32 = 9;

/// Values from which on the mean is [`MAX_MEAN`].
const LARGE: u32 = 0xffff;
const MAX_MEAN: u32 = 0xffff;

/// Ones of a prefix that announces a value as it is.
const ESCAPE: u32 = 9;

/// Longest code.
const MAX_BITS: u32 = 25;

/// Longest run of zeros, and the bits of its length.
const MAX_RUN: u32 = 0xffff;
const RUN_BITS: u32 = 16;

/// Writes residuals of `bits` bits.
pub(super) fn write(residuals: &[i32], bits: u32, packet: &mut BitWriter) {
    let mut mean = FIRST_MEAN;
    // Behind a run of zeros comes another value, or the end.
    let mut is_after_run = false;
    let mut rest = residuals;
    while let Some((&residual, behind)) = rest.split_first() {
        rest = behind;
        let folded = (residual.unsigned_abs() << 1) - u32::from(residual < 0);
        let value = folded - u32::from(is_after_run);
        let parameter = (31 - ((mean >> MEAN_BITS) + 3).leading_zeros()).min(MAX_PARAMETER);
        write_value(value, parameter, (1 << parameter) - 1, bits, packet);
        mean = match value {
            0..=LARGE => MULTIPLIER * folded + mean - ((MULTIPLIER * mean) >> MEAN_BITS),
            _ => MAX_MEAN,
        };
        is_after_run = false;
        if mean < 1 << (MEAN_BITS - 2) && !rest.is_empty() {
            let zeros =
                rest.iter().take(MAX_RUN as usize).take_while(|&&residual| residual == 0).count();
            rest = &rest[zeros..];
            let parameter = mean.leading_zeros() - 24 + ((mean + 16) >> 6);
            let divisor = ((1 << parameter) - 1) & ((1 << MAX_PARAMETER) - 1);
            write_value(zeros as u32, parameter, divisor, RUN_BITS, packet);
            is_after_run = zeros < MAX_RUN as usize;
            mean = 0;
        }
    }
}

/// Writes a value as a quotient in ones and a remainder, or as it is, in so many bits.
fn write_value(value: u32, parameter: u32, divisor: u32, bits: u32, packet: &mut BitWriter) {
    let (quotient, remainder) = (value / divisor, value % divisor);
    // The remainder 0 takes a bit less.
    let is_exact = u32::from(remainder == 0);
    let length = quotient + parameter + 1 - is_exact;
    if quotient < ESCAPE && length <= MAX_BITS {
        let ones = (1 << quotient) - 1;
        packet.push((ones << (length - quotient)) + remainder + 1 - is_exact, length);
    } else {
        packet.push((1 << ESCAPE) - 1, ESCAPE);
        packet.push(value, bits);
    }
}
