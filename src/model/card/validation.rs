//! Checks of a parsed card.

use super::{Family, ModelCard, StftShape};
use crate::dsp::segments::Blend;

/// How far the residual shares may sum from 1.
const SHARES_TOLERANCE: f32 = 1e-3;

impl ModelCard {
    /// The first contradiction in the card, in words.
    pub(super) fn fault(&self) -> Option<String> {
        if self.stems.is_empty() || self.stems.len() > 64 {
            return Some("it needs 1 to 64 stems".into());
        }
        if (1..self.stems.len()).any(|i| self.stems[..i].contains(&self.stems[i])) {
            return Some("a stem is named twice".into());
        }
        if !self.sample_rate.is_supported() {
            return Some(format!("a sample rate of {} is not supported", self.sample_rate));
        }
        if !(0.0..=Self::MAX_OVERLAP).contains(&self.overlap) {
            return Some(format!("overlap must be 0 to {}", Self::MAX_OVERLAP));
        }
        if let Some(fault) = self.stft_fault() {
            return Some(fault);
        }
        // The spectrum is padded by mirroring up to 2.5 hops at the ends of the segment.
        let shortest = self.stft.map_or(1, |stft| 3 * stft.hop as u64);
        if self.segment.0 < shortest || self.segment.0 > 1 << 26 {
            return Some(format!("a segment of {} frames is too short or too long", self.segment));
        }
        if let Some(fault) = self.columns_fault() {
            return Some(fault);
        }
        if let Some(fault) = shares_fault(&self.residual_shares, self.stems.len()) {
            return Some(fault);
        }
        let plain = |file: &str| !file.is_empty() && !file.contains(['/', '\\']) && file != "..";
        let mut files = self.weights.iter().map(|weights| &weights.file).chain([&self.graph.file]);
        if let Some(file) = files.find(|file| !plain(file)) {
            return Some(format!("{file:?} is not a plain file name"));
        }
        self.weights_fault()
            .or_else(|| self.quality.iter().find_map(|quality| quality.fault(&self.stems)))
    }

    /// Checks the transform. The columns of a RoFormer may overlap by any number of samples; [`Self::mdx_fault`] has those of
    /// MDX-Nets.
    fn stft_fault(&self) -> Option<String> {
        let StftShape { size, hop } = self.stft?;
        if self.family == Family::Mdx {
            return None;
        }
        if !size.is_power_of_two() || !(16..=65_536).contains(&size) {
            return Some("stft.size must be a power of two up to 65536".into());
        }
        match self.family {
            Family::Roformer if (1..=size / 2).contains(&hop) => None,
            Family::Roformer => Some("stft.hop must be at most half of stft.size".into()),
            _ => (hop != size / 4).then(|| "stft.hop must be a quarter of stft.size".into()),
        }
    }

    /// Checks the files of weights for this family.
    fn weights_fault(&self) -> Option<String> {
        let named: Vec<_> = self.weights.iter().filter_map(|file| file.stem.as_ref()).collect();
        match (self.family, self.weights.len()) {
            (Family::Ensemble, _) => Some("an ensemble has no card of its own".into()),
            (Family::Mdx, _) => self.mdx_fault(),
            (_, _) if self.mdx.is_some() => Some("[mdx] is for mdx".into()),
            (Family::Onnx, 0) => None,
            (Family::Onnx, _) => Some("a graph of family onnx holds its own weights".into()),
            (Family::Htdemucs | Family::Roformer | Family::Scnet, _) if self.stft.is_none() => {
                Some("stft is missing".into())
            }
            (family, _) if !self.normalize && family != Family::Scnet => {
                Some("normalize is for scnet".into())
            }
            (Family::Roformer | Family::Scnet, _) if !self.residual_shares.is_empty() => {
                Some("residual_shares are for htdemucs and spleeter".into())
            }
            (Family::Roformer | Family::Scnet | Family::Spleeter, 1) if named.is_empty() => None,
            (Family::Roformer | Family::Scnet | Family::Spleeter, _) => {
                Some("roformer, scnet and spleeter have one file of weights, for all stems".into())
            }
            (Family::Htdemucs, 1) if named.is_empty() => None,
            (Family::Htdemucs, _) => {
                let each_once = self.weights.len() == self.stems.len()
                    && self.stems.iter().all(|stem| named.contains(&stem));
                let fault = "it needs one file of weights, or one for each stem that names it";
                (!each_once || !self.residual_shares.is_empty()).then(|| fault.to_owned())
            }
        }
    }

    /// Checks the blend, and for summed segments that a segment is whole spectrum columns.
    fn columns_fault(&self) -> Option<String> {
        match (self.family, self.blend) {
            (Family::Spleeter, Blend::Average) => {
                return Some("spleeter's blend is \"sum\"".into());
            }
            (_, Blend::Sum) if self.family != Family::Spleeter => {
                return Some("only spleeter's blend is \"sum\"".into());
            }
            (_, Blend::Average) => return None,
            (_, Blend::Sum) => {}
        }
        let Some(StftShape { size, hop }) = self.stft else {
            return Some("stft is missing".into());
        };
        if self.overlap != 0.0 {
            return Some("summed segments overlap by their columns only: overlap must be 0".into());
        }
        let behind = self.segment.as_len().checked_sub(size);
        let whole = behind.is_some_and(|behind| behind > 0 && behind % hop == 0);
        let fault = || format!("a segment of {} frames is not two or more columns", self.segment);
        (!whole).then(fault)
    }
}

fn shares_fault(shares: &[f32], stems: usize) -> Option<String> {
    if shares.is_empty() {
        return None;
    }
    if shares.len() != stems {
        return Some(format!("there are {} residual_shares for {stems} stems", shares.len()));
    }
    let valid = shares.iter().all(|share| (0.0..=1.0).contains(share));
    let sum: f32 = shares.iter().sum();
    (!valid || (sum - 1.0).abs() > SHARES_TOLERANCE)
        .then(|| "residual_shares must be 0 to 1 each and sum to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residual_shares_are_fractions_that_sum_to_one() {
        assert_eq!(shares_fault(&[], 4), None);
        assert_eq!(shares_fault(&[0.3, 0.05, 0.2, 0.45], 4), None);
        for wrong in [&[1.0][..], &[0.5, 0.25, 0.25, 0.25], &[1.5, -0.5, 0.0, 0.0], &[f32::NAN; 4]]
        {
            assert!(shares_fault(wrong, 4).is_some(), "{wrong:?} passed");
        }
    }
}
