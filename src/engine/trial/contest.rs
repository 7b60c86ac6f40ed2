//! Each candidate against the reference.

use std::time::Duration;

use super::contestant::{Contestant, Limits};
use super::{Bench, Candidate, Figures, Tried};

/// Turns of each pair. What else runs on the machine hits both of a pair, and the median of three ratios
/// leaves one of them out.
const PAIRS: usize = 3;

/// Tries every candidate; the reference itself needs no trial.
pub(super) fn hold(
    reference: &Candidate,
    candidates: &[Candidate],
    bench: &Bench<'_>,
) -> Vec<Tried> {
    let card = bench.model.card();
    let limits = Limits { load: bench.limits.load, segment: bench.limits.unmeasured(card) };
    let start = |candidate: &Candidate| Contestant::start(&mut (bench.command)(candidate), limits);
    let mut standard: Option<Result<Contestant, String>> = None;
    let mut trial = |candidate: &Candidate| -> Result<Figures, String> {
        if candidate == reference {
            return Ok(Figures::REFERENCE);
        }
        let mut contestant = start(candidate)?;
        // It starts only once there is somebody to run against, and stays for the next.
        let standard = match standard.get_or_insert_with(|| start(reference)) {
            Ok(standard) => standard,
            Err(reason) => return Err(format!("{} fails: {reason}", reference.execution)),
        };
        let (planes, frames) = (2 * card.stems.len(), card.segment);
        let snr_db = worst_snr(&standard.stems, &contestant.stems, planes, frames.as_len())?;
        let mut ratios = Vec::with_capacity(PAIRS);
        for _ in 0..PAIRS {
            let usual =
                standard.run().map_err(|e| format!("{} fails: {e}", reference.execution))?;
            ratios.push(ratio(usual, contestant.run()?));
        }
        ratios.sort_by(f64::total_cmp);
        Ok(Figures { speed: ratios[PAIRS / 2], snr_db })
    };
    let tried =
        |candidate: &Candidate| Tried { candidate: candidate.clone(), result: trial(candidate) };
    candidates.iter().map(tried).collect()
}

fn ratio(usual: Duration, taken: Duration) -> f64 {
    usual.as_secs_f64() / taken.as_secs_f64().max(1e-9)
}

/// The signal-to-noise ratio, in dB, of the stem that has the worst; a stem is two planes, and one that is
/// silent in the reference does not count unless it is not.
fn worst_snr(
    reference: &[f32],
    candidate: &[f32],
    planes: usize,
    frames: usize,
) -> Result<f64, String> {
    if reference.len() != planes * frames || candidate.len() != reference.len() {
        return Err("it answered stems of another shape".into());
    }
    let pairs = reference.chunks_exact(2 * frames).zip(candidate.chunks_exact(2 * frames));
    let snr = |(reference, candidate): (&[f32], &[f32])| {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (&truth, &sample) in reference.iter().zip(candidate) {
            let (truth, sample) = (f64::from(truth), f64::from(sample));
            signal += truth * truth;
            noise += (truth - sample) * (truth - sample);
        }
        if noise == 0.0 { f64::INFINITY } else { 10.0 * (signal / noise).log10() }
    };
    let worst = pairs.map(snr).fold(f64::INFINITY, |worst, snr| {
        // Not f64::min, which passes NaN over.
        if snr < worst || snr.is_nan() { snr } else { worst }
    });
    if worst > f64::NEG_INFINITY {
        Ok(worst)
    } else {
        Err("its stems are not finite, or not silent where they must be".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_stem_counts() {
        // Two stems of two planes of two frames.
        let reference = [1.0, -1.0, 1.0, -1.0, 0.5, 0.5, 0.5, 0.5];
        assert_eq!(worst_snr(&reference, &reference, 4, 2), Ok(f64::INFINITY));
        let mut near = reference;
        near[0] = 1.002;
        near[4] = 0.51;
        let snr = worst_snr(&reference, &near, 4, 2).unwrap();
        // 4 · 0.5² over 0.01²: 40 dB.
        assert!((snr - 40.0).abs() < 1e-4, "{snr}");
        near[7] = f32::NAN;
        assert!(worst_snr(&reference, &near, 4, 2).is_err());
        assert!(worst_snr(&reference, &near[..6], 4, 2).is_err());
        assert!(worst_snr(&[0.0; 4], &[0.0, 0.0, 0.0, 0.1], 2, 2).is_err());
    }
}
