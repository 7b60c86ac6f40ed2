//! Measures each candidate against the baseline.

use std::time::Duration;

use super::{AutotuneConfig, Candidate, Figures};
use crate::engine::Execution;
use crate::engine::autotune::candidate_run::{CandidateRun, RunLimits};

/// Pairs of runs, one of the baseline and one of the candidate. Other load on the machine affects both of a pair, and
/// the median of three ratios drops an outlier.
const PAIRS: usize = 3;

/// Measures every candidate. An error is the reason of the failure, in words.
pub(super) fn run(
    baseline: &Candidate,
    candidates: &[&Candidate],
    config: &AutotuneConfig<'_>,
) -> Vec<Result<Figures, String>> {
    let card = config.model.card();
    let limits =
        RunLimits { load: config.limits.load, segment: config.limits.for_unmeasured(card) };
    let (planes, frames) = (2 * card.stems.len(), card.segment.as_len());
    let start =
        |candidate: &Candidate| CandidateRun::start(&mut (config.command)(candidate), limits);
    let mut baseline = BaselineRun { start: &|| start(baseline), run: None };
    let measure = |&candidate: &&Candidate| {
        let mut run = start(candidate)?;
        let snr_db = baseline
            .with(|baseline| Ok(worst_snr(&baseline.stems, &run.stems, planes, frames)))??;
        let mut ratios = Vec::with_capacity(PAIRS);
        for _ in 0..PAIRS {
            let baseline_time = baseline.with(CandidateRun::repeat)?;
            ratios.push(speed(baseline_time, run.repeat()?));
        }
        ratios.sort_by(f64::total_cmp);
        Ok(Figures { speed: ratios[PAIRS / 2], snr_db })
    };
    candidates.iter().map(measure).collect()
}

/// The process of the baseline. It starts with the first candidate that runs, and serves all of them.
struct BaselineRun<'a> {
    start: &'a dyn Fn() -> Result<CandidateRun, String>,
    run: Option<Result<CandidateRun, String>>,
}

impl BaselineRun<'_> {
    /// Runs `act` with the process. After a failure it always fails: a late answer would be taken for one to the next
    /// candidate.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut CandidateRun) -> Result<T, String>,
    ) -> Result<T, String> {
        let run = self.run.get_or_insert_with(self.start);
        let result = match run {
            Ok(running) => act(running),
            Err(reason) => Err(reason.clone()),
        };
        result.map_err(|reason| {
            let message = format!("{} fails: {reason}", Execution::BASELINE);
            *run = Err(reason);
            message
        })
    }
}

fn speed(baseline_time: Duration, time: Duration) -> f64 {
    baseline_time.as_secs_f64() / time.as_secs_f64().max(1e-9)
}

/// SNR of the worst stem, dB. A stem is two planes of `frames` samples. A stem that is silent in the baseline counts
/// only if the candidate's is not silent.
fn worst_snr(
    baseline: &[f32],
    candidate: &[f32],
    planes: usize,
    frames: usize,
) -> Result<f64, String> {
    if baseline.len() != planes * frames || candidate.len() != baseline.len() {
        return Err("it answered stems of another shape".into());
    }
    let pairs = baseline.chunks_exact(2 * frames).zip(candidate.chunks_exact(2 * frames));
    let snr = |(baseline, candidate): (&[f32], &[f32])| {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (&expected, &sample) in baseline.iter().zip(candidate) {
            let (expected, sample) = (f64::from(expected), f64::from(sample));
            signal += expected * expected;
            noise += (expected - sample) * (expected - sample);
        }
        if noise == 0.0 { f64::INFINITY } else { 10.0 * (signal / noise).log10() }
    };
    let worst = pairs.map(snr).fold(f64::INFINITY, |worst, snr| {
        // f64::min would ignore NaN.
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

    #[cfg(unix)]
    #[test]
    fn a_failed_baseline_is_not_run_again() {
        use std::process::Command;
        let long = Duration::from_secs(600);
        // Answers late: once the file is there.
        let folder = tempfile::tempdir().unwrap();
        let script = "say() { echo stemwire-autotune $*; }; say loaded; say ready 0; read line; \
                      while [ ! -e now ]; do sleep 0.01; done; say took 5; read line; say took 6";
        let start = || {
            let mut command = Command::new("sh");
            let limits = RunLimits { load: long, segment: long };
            CandidateRun::start(command.args(["-c", script]).current_dir(folder.path()), limits)
        };
        let mut baseline = BaselineRun { start: &start, run: None };
        let late = baseline.with(|running| {
            running.limit = Duration::from_millis(50);
            let late = running.repeat();
            running.limit = long;
            std::fs::write(folder.path().join("now"), "").unwrap();
            late
        });
        let reason = "cpu f32 fails: it did not answer within 0.05 s";
        assert_eq!(late, Err(reason.to_owned()));
        assert_eq!(baseline.with(CandidateRun::repeat), Err(reason.to_owned()));
    }

    #[test]
    fn the_snr_is_that_of_the_worst_stem() {
        // Two stems of two planes of two frames.
        let expected = [1.0, -1.0, 1.0, -1.0, 0.5, 0.5, 0.5, 0.5];
        assert_eq!(worst_snr(&expected, &expected, 4, 2), Ok(f64::INFINITY));
        let mut near = expected;
        near[0] = 1.002;
        near[4] = 0.51;
        let snr = worst_snr(&expected, &near, 4, 2).unwrap();
        // 4 · 0.5² over 0.01²: 40 dB.
        assert!((snr - 40.0).abs() < 1e-4, "{snr}");
        near[7] = f32::NAN;
        assert!(worst_snr(&expected, &near, 4, 2).is_err());
        assert!(worst_snr(&expected, &near[..6], 4, 2).is_err());
        assert!(worst_snr(&[0.0; 4], &[0.0, 0.0, 0.0, 0.1], 2, 2).is_err());
    }
}
