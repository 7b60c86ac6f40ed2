//! The residual: the mixture minus the sum of a model's stems.
//!
//! A small model assigns what it cannot separate to no stem, so its stems are too quiet and do not sum to the mixture.
//! Its card may distribute the residual among the stems.

use crate::audio::Stereo;

/// Adds to each stem its share of the residual, so that the stems sum to `mix`. Without shares the stems are unchanged.
pub(crate) fn distribute_residual(mix: &Stereo, stems: &mut [Stereo], shares: &[f32]) {
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
        distribute_residual(&mix, &mut stems, &[]);
        assert_eq!(stems, before);
        distribute_residual(&mix, &mut stems, &[0.75, 0.25]);
        assert_eq!(stems[0], stereo(&[0.6875, -0.375], &[0.0, 7.0]));
        assert_eq!(stems[1], stereo(&[0.3125, -0.125], &[0.25, 1.0]));
    }
}
