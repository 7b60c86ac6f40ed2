//! What a model's stems leave of the mixture.
//!
//! A small model is timid: what it cannot tell apart it gives to no stem, so that the stems are too quiet
//! and do not sum to the song. Its card may say who gets what is left.

use crate::audio::Stereo;

/// How far the shares may sum from 1.
const TOLERANCE: f32 = 1e-3;

/// What is wrong with the shares for so many stems, if anything is.
pub(crate) fn fault(shares: &[f32], stems: usize) -> Option<String> {
    if shares.is_empty() {
        return None;
    }
    if shares.len() != stems {
        return Some(format!("there are {} residual_shares for {stems} stems", shares.len()));
    }
    let valid = shares.iter().all(|share| (0.0..=1.0).contains(share));
    let sum: f32 = shares.iter().sum();
    (!valid || (sum - 1.0).abs() > TOLERANCE)
        .then(|| "residual_shares must be 0 to 1 each and sum to 1".to_owned())
}

/// Gives each stem its share of what all of them leave of `mix`; they then sum to it. Without shares they
/// stay as they are.
pub(crate) fn share_out(mix: &Stereo, stems: &mut [Stereo], shares: &[f32]) {
    if shares.is_empty() {
        return;
    }
    let mut residual = mix.planes().map(<[f32]>::to_vec);
    for stem in stems.iter() {
        for (left, plane) in residual.iter_mut().zip(stem.planes()) {
            left.iter_mut().zip(plane).for_each(|(left, sample)| *left -= sample);
        }
    }
    for (stem, share) in stems.iter_mut().zip(shares) {
        for (plane, left) in stem.planes_mut().into_iter().zip(&residual) {
            plane.iter_mut().zip(left).for_each(|(sample, left)| *sample += share * left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stereo(left: &[f32], right: &[f32]) -> Stereo {
        Stereo::from_planes(left.to_vec(), right.to_vec()).unwrap()
    }

    #[test]
    fn the_stems_sum_to_the_mixture() {
        let mix = stereo(&[1.0, -0.5], &[0.25, 8.0]);
        let mut stems = [stereo(&[0.5, 0.0], &[0.0, 4.0]), stereo(&[0.25, 0.0], &[0.25, 0.0])];
        let before = stems.clone();
        share_out(&mix, &mut stems, &[]);
        assert_eq!(stems, before);
        share_out(&mix, &mut stems, &[0.75, 0.25]);
        assert_eq!(stems[0], stereo(&[0.6875, -0.375], &[0.0, 7.0]));
        assert_eq!(stems[1], stereo(&[0.3125, -0.125], &[0.25, 1.0]));
    }

    #[test]
    fn shares_that_make_no_sense_are_told() {
        assert_eq!(fault(&[], 4), None);
        assert_eq!(fault(&[0.3, 0.05, 0.2, 0.45], 4), None);
        for wrong in [&[1.0][..], &[0.5, 0.25, 0.25, 0.25], &[1.5, -0.5, 0.0, 0.0], &[f32::NAN; 4]]
        {
            assert!(fault(wrong, 4).is_some(), "{wrong:?} passed");
        }
    }
}
