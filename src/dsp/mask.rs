//! Ratio masks: each stem's share of the mixture's spectrum.

use serde::{Deserialize, Serialize};

/// What a mask is worth in bins that the model does not see.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskExtension {
    /// As much as it is worth on average in the bins that the model sees.
    #[default]
    Average,
    /// Nothing: the stems end where the model does, as in Spleeter's published configuration.
    Zeros,
}

/// Spleeter's (`EstimatorSpecBuilder.EPSILON`): in silence every stem gets the same share.
const EPSILON: f32 = 1e-10;

/// The energy of all `estimates`, bin by bin, which are as long as `total`.
pub fn total_energy<'a>(estimates: impl IntoIterator<Item = &'a [f32]>, total: &mut [f32]) {
    total.fill(0.0);
    for estimate in estimates {
        for (total, magnitude) in total.iter_mut().zip(estimate) {
            *total += magnitude * magnitude;
        }
    }
}

/// Writes into `mask` one stem's share of one column: of the bins of its `estimate` by its energy in the
/// `total` energy of all `stems` stems, and of those above by `extension`.
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
    fn stems_share_by_energy_and_silence_equally() {
        let estimates = [[1.0, 0.0], [3.0, 0.0]];
        check(&estimates, MaskExtension::Zeros, &[[0.1, 0.5, 0.0, 0.0], [0.9, 0.5, 0.0, 0.0]]);
        check(&estimates, MaskExtension::Average, &[[0.1, 0.5, 0.3, 0.3], [0.9, 0.5, 0.7, 0.7]]);
    }
}
