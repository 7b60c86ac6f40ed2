//! Ratio masks: each stem's share of the mixture's spectrum.

use serde::{Deserialize, Serialize};

/// Value of a mask in bins above the model's frequency range.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskExtension {
    /// The mean over the bins in the model's range.
    #[default]
    Average,
    /// Zero, as in Spleeter's published configuration: the stems have no higher frequencies.
    Zeros,
}

/// Spleeter's `EstimatorSpecBuilder.EPSILON`: in silence all stems have the same share.
const EPSILON: f32 = 1e-10;

/// Writes the sum of the energies of all `estimates` into `total`, bin by bin. All have the length of
/// `total` and hold magnitudes.
pub fn total_energy<'a>(estimates: impl IntoIterator<Item = &'a [f32]>, total: &mut [f32]) {
    total.fill(0.0);
    for estimate in estimates {
        for (total, magnitude) in total.iter_mut().zip(estimate) {
            *total += magnitude * magnitude;
        }
    }
}

/// Writes one stem's mask of one column into `mask`: in the bins of `estimate` its energy over the
/// `total` energy of all `stems` stems, in those above by `extension`.
pub fn ratio_mask(
    estimate: &[f32],
    total: &[f32],
    stems: usize,
    extension: MaskExtension,
    mask: &mut [f32],
) {
    let least = EPSILON / stems as f32;
    let (seen, above) = mask.split_at_mut(estimate.len().min(mask.len()));
    for ((share, magnitude), total) in seen.iter_mut().zip(estimate).zip(total) {
        *share = (magnitude * magnitude + least) / (total + EPSILON);
    }
    above.fill(match extension {
        MaskExtension::Average => seen.iter().sum::<f32>() / seen.len().max(1) as f32,
        MaskExtension::Zeros => 0.0,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(estimates: &[[f32; 2]], extension: MaskExtension, expected: &[[f32; 4]]) {
        let mut total = [0.0; 2];
        total_energy(estimates.iter().map(|estimate| &estimate[..]), &mut total);
        for (estimate, expected) in estimates.iter().zip(expected) {
            let mut mask = [7.0; 4];
            ratio_mask(estimate, &total, estimates.len(), extension, &mut mask);
            let near =
                mask.iter().zip(expected).all(|(found, wanted)| (found - wanted).abs() < 1e-6);
            assert!(near, "{mask:?} is not {expected:?}");
        }
    }

    #[test]
    fn stems_share_by_energy_and_equally_in_silence() {
        let estimates = [[1.0, 0.0], [3.0, 0.0]];
        check(&estimates, MaskExtension::Zeros, &[[0.1, 0.5, 0.0, 0.0], [0.9, 0.5, 0.0, 0.0]]);
        check(&estimates, MaskExtension::Average, &[[0.1, 0.5, 0.3, 0.3], [0.9, 0.5, 0.7, 0.7]]);
    }
}
