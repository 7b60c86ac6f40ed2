//! Each candidate against the reference.

use std::time::Duration;

use super::{Bench, Candidate, Figures};
use crate::engine::Execution;
use crate::engine::autotune::runner::{Contestant, Limits};

/// Turns of each pair. What else runs on the machine hits both of a pair, and the median of three ratios
/// leaves one of them out.
const PAIRS: usize = 3;

/// Tries every candidate; in words, why one has failed.
pub(super) fn hold(
    reference: &Candidate,
    candidates: &[&Candidate],
    bench: &Bench<'_>,
) -> Vec<Result<Figures, String>> {
    let card = bench.model.card();
    let limits = Limits { load: bench.limits.load, segment: bench.limits.unmeasured(card) };
    let (planes, frames) = (2 * card.stems.len(), card.segment.as_len());
    let start = |candidate: &Candidate| Contestant::start(&mut (bench.command)(candidate), limits);
    let mut standard = Standard { start: &|| start(reference), contestant: None };
    let trial = |&candidate: &&Candidate| {
        let mut contestant = start(candidate)?;
        let snr_db = standard
            .with(|standard| Ok(worst_snr(&standard.stems, &contestant.stems, planes, frames)))??;
        let mut ratios = Vec::with_capacity(PAIRS);
        for _ in 0..PAIRS {
            let usual = standard.with(Contestant::run)?;
            ratios.push(ratio(usual, contestant.run()?));
        }
        ratios.sort_by(f64::total_cmp);
        Ok(Figures { speed: ratios[PAIRS / 2], snr_db })
    };
    candidates.iter().map(trial).collect()
}

/// The reference's process. It starts only once there is somebody to run against, and stays for the next.
struct Standard<'a> {
    start: &'a dyn Fn() -> Result<Contestant, String>,
    contestant: Option<Result<Contestant, String>>,
}

impl Standard<'_> {
    /// Once it has failed it is not asked again: its late answer would be taken for one to the next candidate.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Contestant) -> Result<T, String>,
    ) -> Result<T, String> {
        let contestant = self.contestant.get_or_insert_with(self.start);
        let result = match contestant {
            Ok(running) => act(running),
            Err(reason) => Err(reason.clone()),
        };
        result.map_err(|reason| {
            let told = format!("{} fails: {reason}", Execution::REFERENCE);
            *contestant = Err(reason);
            told
        })
    }
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

    #[cfg(unix)]
    #[test]
    fn a_reference_that_has_failed_is_not_asked_again() {
        use std::process::Command;
        let long = Duration::from_secs(600);
        // It waits for the file and then answers late.
        let folder = tempfile::tempdir().unwrap();
        let script = "say() { echo stemwire-trial $*; }; say loaded; say ready 0; read line; \
                      while [ ! -e now ]; do sleep 0.01; done; say took 5; read line; say took 6";
        let start = || {
            let mut command = Command::new("sh");
            let limits = Limits { load: long, segment: long };
            Contestant::start(command.args(["-c", script]).current_dir(folder.path()), limits)
        };
        let mut standard = Standard { start: &start, contestant: None };
        let late = standard.with(|running| {
            running.limit = Duration::from_millis(50);
            let late = running.run();
            running.limit = long;
            std::fs::write(folder.path().join("now"), "").unwrap();
            late
        });
        let reason = "cpu f32 fails: it did not answer within 0.05 s";
        assert_eq!(late, Err(reason.to_owned()));
        assert_eq!(standard.with(Contestant::run), Err(reason.to_owned()));
    }

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
