//! Who wins.

use std::fmt;

use super::{Candidate, Request};
use crate::engine::{Execution, Precision, PrecisionChoice, ProviderChoice};

/// What exact numbers must keep of the reference's, dB. Two right computations in 32-bit floats that add in
/// another order differ by 95 to 130 dB here; shorter floats, or another algorithm, stay below 60.
pub const EXACT_DB: f64 = 75.0;

/// What fast numbers must keep, dB: the error is then 1 % of a stem, far below what any model's own errors
/// are (about 10 dB SDR).
pub const FAST_DB: f64 = 40.0;

/// How much faster than the reference a candidate must be to be worth another library's numbers. Ratios of
/// pairs scatter by this much.
pub const WORTH_IT: f64 = 1.05;

/// How a candidate has done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// How many times as fast as the reference.
    pub speed: f64,
    /// The worst stem's signal-to-noise ratio against the reference, dB.
    pub snr_db: f64,
}

impl Figures {
    /// Those of the reference itself.
    pub(super) const REFERENCE: Figures = Figures { speed: 1.0, snr_db: f64::INFINITY };
}

/// A candidate that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The candidate.
    pub candidate: Candidate,
    /// How it has done; in words, why it has not.
    pub result: Result<Figures, String>,
    /// Whether that was at an earlier start.
    pub recalled: bool,
}

/// What is computed with, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The winner.
    pub chosen: Candidate,
    /// Why, in words.
    pub reason: String,
    /// Everybody that was tried.
    pub tried: Vec<Tried>,
}

impl Verdict {
    /// The one that there is.
    pub(super) fn untried(chosen: Candidate, reason: String) -> Verdict {
        Verdict { chosen, reason, tried: Vec::new() }
    }

    /// The fastest that keeps the numbers.
    pub(super) fn of(tried: Vec<Tried>, candidates: &[Candidate], request: Request) -> Verdict {
        let passes = |tried: &&Tried| {
            let Ok(figures) = tried.result else { return false };
            // Who asks for a provider by its name gets its numbers.
            let named = request.provider != ProviderChoice::Auto;
            match tried.candidate.execution.precision {
                Precision::F32 if named => true,
                Precision::F32 => figures.snr_db >= EXACT_DB,
                _ => figures.snr_db >= FAST_DB,
            }
        };
        let mut best: Option<(&Tried, Figures)> = None;
        for other in tried.iter().filter(passes) {
            let Ok(figures) = other.result else { continue };
            if best.is_none_or(|(_, best)| figures.speed >= best.speed * WORTH_IT) {
                best = Some((other, figures));
            }
        }
        let floor = match request.precision {
            PrecisionChoice::Exact => EXACT_DB,
            PrecisionChoice::Fast => FAST_DB,
        };
        let (chosen, reason) = match best {
            Some((best, _)) if best.candidate.execution == Execution::REFERENCE => {
                let reason = format!("no other is {WORTH_IT} times as fast at {floor} dB or more");
                (best.candidate.clone(), reason)
            }
            Some((best, figures)) => (best.candidate.clone(), figures.to_string()),
            // Only where one is asked for by name; what opens it next will say what is wrong.
            None => (candidates[0].clone(), "asked for".to_owned()),
        };
        Verdict { chosen, reason, tried }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { speed, snr_db } = self;
        write!(f, "{speed:.2} times as fast as {}, {snr_db:.1} dB", Execution::REFERENCE)
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(figures) => write!(f, "{}: {figures}", self.candidate.execution),
            Err(reason) => write!(f, "{} is left out: {reason}", self.candidate.execution),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Provider;

    const CPU: Execution = Execution::REFERENCE;
    const OPENVINO: Execution = Execution::exact(Provider::Openvino);
    const BF16: Execution = Execution { provider: Provider::Openvino, precision: Precision::Bf16 };

    #[track_caller]
    fn check(provider: &str, results: &[(Execution, f64, f64)], expected: Execution) {
        let candidate =
            |execution: &Execution| Candidate { library: "lib".into(), execution: *execution };
        let tried = results.iter().map(|(execution, speed, snr_db)| Tried {
            candidate: candidate(execution),
            result: if *speed > 0.0 {
                Ok(Figures { speed: *speed, snr_db: *snr_db })
            } else {
                Err("it does not start".into())
            },
            recalled: false,
        });
        let candidates: Vec<_> = results.iter().map(|result| candidate(&result.0)).collect();
        let precision = PrecisionChoice::Exact;
        let request = Request { provider: provider.parse().unwrap(), precision };
        let verdict = Verdict::of(tried.collect(), &candidates, request);
        assert_eq!(verdict.chosen.execution, expected, "{verdict:?}");
    }

    #[test]
    fn the_fastest_that_keeps_the_numbers_wins() {
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
    fn a_provider_that_was_named_stays() {
        check("openvino", &[(OPENVINO, 0.5, 98.0), (BF16, 0.9, 45.0)], BF16);
        check("openvino", &[(OPENVINO, 0.5, 60.0), (BF16, 0.9, 30.0)], OPENVINO);
        check("openvino", &[(OPENVINO, 0.0, 0.0), (BF16, 0.0, 0.0)], OPENVINO);
    }
}
