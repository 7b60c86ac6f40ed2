//! Selects the fastest provider above the SNR threshold.

use std::fmt;

use super::{Candidate, ProviderRequest};
use crate::engine::{Execution, Precision, PrecisionChoice, ProviderChoice};

/// Minimum SNR of exact candidates against the baseline, dB. Two correct computations in 32-bit floats that add in
/// different order agree to 95 to 130 dB here; shorter floats, or another algorithm, stay below 60 dB.
pub const MIN_SNR_EXACT_DB: f64 = 75.0;

/// Minimum SNR of fast candidates, dB: an error of 1 % of a stem, far below the error of any model (about 10 dB SDR).
pub const MIN_SNR_FAST_DB: f64 = 40.0;

/// Minimum speed of a candidate relative to the best one so far. Measured ratios scatter by this much.
pub const MIN_SPEEDUP: f64 = 1.05;

/// Measured figures of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Speed relative to the baseline; 2 is twice as fast.
    pub speed: f64,
    /// SNR against the baseline of the worst stem, dB.
    pub snr_db: f64,
}

impl Figures {
    /// The figures of the baseline itself.
    pub(super) const BASELINE: Figures = Figures { speed: 1.0, snr_db: f64::INFINITY };
}

/// A measured candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchmarkResult {
    /// The candidate.
    pub candidate: Candidate,
    /// The figures, or the reason of the failure in words.
    pub result: Result<Figures, String>,
    /// Whether the figures were measured at an earlier start.
    pub cached: bool,
}

/// The selected candidate, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The selected candidate.
    pub chosen: Candidate,
    /// The reason, in words.
    pub reason: String,
    /// The results of all measured candidates, the baseline included.
    pub results: Vec<BenchmarkResult>,
}

impl Decision {
    /// A decision without measurements.
    pub(super) fn unmeasured(chosen: Candidate, reason: String) -> Decision {
        Decision { chosen, reason, results: Vec::new() }
    }

    /// Selects the fastest candidate above the SNR threshold.
    pub(super) fn of(
        results: Vec<BenchmarkResult>,
        candidates: &[Candidate],
        request: ProviderRequest,
    ) -> Decision {
        let passes = |result: &&BenchmarkResult| {
            let Ok(figures) = result.result else { return false };
            // A provider requested by name is used whatever its SNR in 32-bit floats.
            let named = request.provider != ProviderChoice::Auto;
            match result.candidate.execution.precision {
                Precision::F32 if named => true,
                Precision::F32 => figures.snr_db >= MIN_SNR_EXACT_DB,
                _ => figures.snr_db >= MIN_SNR_FAST_DB,
            }
        };
        let mut best: Option<(&BenchmarkResult, Figures)> = None;
        for other in results.iter().filter(passes) {
            let Ok(figures) = other.result else { continue };
            if best.is_none_or(|(_, best)| figures.speed >= best.speed * MIN_SPEEDUP) {
                best = Some((other, figures));
            }
        }
        let floor = match request.precision {
            PrecisionChoice::Exact => MIN_SNR_EXACT_DB,
            PrecisionChoice::Fast => MIN_SNR_FAST_DB,
        };
        let (chosen, reason) = match best {
            Some((best, _)) if best.candidate.execution == Execution::BASELINE => {
                let reason =
                    format!("no candidate is {MIN_SPEEDUP} times as fast at {floor} dB or more");
                (best.candidate.clone(), reason)
            }
            Some((best, figures)) => (best.candidate.clone(), figures.to_string()),
            // Only if a provider was requested by name: opening it next reports what is wrong.
            None => (candidates[0].clone(), "requested".to_owned()),
        };
        Decision { chosen, reason, results }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { speed, snr_db } = self;
        write!(f, "{speed:.2} times as fast as {}, {snr_db:.1} dB", Execution::BASELINE)
    }
}

impl fmt::Display for BenchmarkResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(figures) => write!(f, "{}: {figures}", self.candidate.execution),
            Err(reason) => write!(f, "{} is skipped: {reason}", self.candidate.execution),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Provider;

    const CPU: Execution = Execution::BASELINE;
    const OPENVINO: Execution = Execution::exact(Provider::Openvino);
    const BF16: Execution = Execution { provider: Provider::Openvino, precision: Precision::Bf16 };

    #[track_caller]
    fn check(provider: &str, results: &[(Execution, f64, f64)], expected: Execution) {
        let candidate =
            |execution: &Execution| Candidate { library: "lib".into(), execution: *execution };
        let measured = results.iter().map(|(execution, speed, snr_db)| BenchmarkResult {
            candidate: candidate(execution),
            result: if *speed > 0.0 {
                Ok(Figures { speed: *speed, snr_db: *snr_db })
            } else {
                Err("it does not start".into())
            },
            cached: false,
        });
        let candidates: Vec<_> = results.iter().map(|result| candidate(&result.0)).collect();
        let precision = PrecisionChoice::Exact;
        let request = ProviderRequest { provider: provider.parse().unwrap(), precision };
        let decision = Decision::of(measured.collect(), &candidates, request);
        assert_eq!(decision.chosen.execution, expected, "{decision:?}");
    }

    #[test]
    fn the_fastest_above_the_snr_threshold_is_selected() {
        let cpu = (CPU, 1.0, f64::INFINITY);
        check("auto", &[cpu, (OPENVINO, 1.3, 98.0)], OPENVINO);
        check("auto", &[cpu, (OPENVINO, 1.3, 74.9)], CPU);
        check("auto", &[cpu, (OPENVINO, 1.3, f64::NAN)], CPU);
        check("auto", &[cpu, (OPENVINO, 1.04, 98.0)], CPU);
        check("auto", &[cpu, (OPENVINO, 0.5, 98.0)], CPU);
        check("auto", &[cpu, (OPENVINO, 0.0, 0.0)], CPU);
        check("auto", &[cpu, (OPENVINO, 1.3, 98.0), (BF16, 2.0, 45.0)], BF16);
        check("auto", &[cpu, (OPENVINO, 1.3, 98.0), (BF16, 2.0, 39.9)], OPENVINO);
        check("auto", &[cpu, (OPENVINO, 1.3, 98.0), (BF16, 1.2, 60.0)], OPENVINO);
    }

    #[test]
    fn a_provider_requested_by_name_is_selected() {
        check("openvino", &[(OPENVINO, 0.5, 98.0), (BF16, 0.9, 45.0)], BF16);
        check("openvino", &[(OPENVINO, 0.5, 60.0), (BF16, 0.9, 30.0)], OPENVINO);
        check("openvino", &[(OPENVINO, 0.0, 0.0), (BF16, 0.0, 0.0)], OPENVINO);
    }
}
