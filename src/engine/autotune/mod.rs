//! Autotune: finds the fastest execution provider above the SNR threshold by measuring.
//!
//! A process can load only one build of ONNX Runtime, and a provider that does not fit the machine may crash the
//! process. So each [`candidate`] runs in a [`child`] process, which separates the same fixed [`segment`] as the
//! baseline, in turn with it ([`benchmark`]). The parent's side of that process is [`candidate_process`] (its messages) and
//! [`candidate_run`] (their order and time limits). The [`decision`] compares SNR and times. Results are kept in a
//! [`cache`] under a [`fingerprint`] of everything that they depend on, so that only the first start waits for them;
//! a candidate that failed is measured again at the next start.

mod benchmark;
mod cache;
pub mod candidate;
mod candidate_process;
mod candidate_run;
pub mod child;
pub mod decision;
mod fingerprint;
mod segment;
#[cfg(all(test, unix))]
mod tests;

use std::io;
use std::path::Path;
use std::process::Command;

use super::limits::TimeLimits;
use super::machine::Machine;
use super::runtime::RuntimeError;
use super::runtime::locate::FoundLibrary;
use super::{Execution, PrecisionChoice, ProviderChoice};
use crate::model::{Model, Sha256Hash};

pub use cache::{CachedSpeed, fastest as fastest_cached};
pub use candidate::{Candidate, ProviderRequest};
pub use decision::{BenchmarkResult, Decision, Figures};
pub use segment::fixed as fixed_segment;

/// Why a candidate was not measured although it could be.
const OUT_OF_TIME: &str = "the time limit for autotuning was reached";

/// Inputs of [`decide`] for one model.
pub struct AutotuneConfig<'a> {
    /// The model to measure with.
    pub model: &'a Model,
    /// Compute threads of one worker.
    pub threads: usize,
    /// Time limits for loading and for a segment.
    pub limits: TimeLimits,
    /// Builds the command whose process is the [`child`] of a candidate.
    pub command: &'a dyn Fn(&Candidate) -> Command,
    /// Called before measuring, which takes a while. Returns whether there is time for it.
    pub may_start: &'a dyn Fn() -> bool,
    /// The cache file, if results are cached.
    pub cache_file: Option<&'a Path>,
    /// Called when the cache file cannot be written.
    pub on_cache_error: &'a dyn Fn(&io::Error),
}

/// Decides which provider runs a model. Measures only if there is a choice, and only candidates without a cached
/// result.
///
/// # Errors
/// [`RuntimeError::NoProvider`] if none of `libraries`, which must not be empty, has the requested provider. A failed
/// measurement is no error: the candidate is skipped.
pub fn decide(
    libraries: &[FoundLibrary],
    request: ProviderRequest,
    config: &AutotuneConfig<'_>,
) -> Result<Decision, RuntimeError> {
    let mut candidates = candidate::candidates(libraries, request)?;
    if request.provider == ProviderChoice::Auto {
        let family = config.model.card().family;
        candidates.retain(|candidate| family.runs_on(candidate.execution.provider));
    }
    if let [only] = &candidates[..] {
        return Ok(Decision::unmeasured(only.clone(), single_candidate_reason(request)));
    }
    let baseline = Candidate { library: libraries[0].path.clone(), execution: Execution::BASELINE };
    let machine = Machine::this();
    let fingerprint =
        |candidate: &Candidate| fingerprint::of(&baseline, candidate, config, &machine);
    let cached = |candidate: &Candidate| match config.cache_file {
        // The baseline is compared with itself.
        _ if *candidate == baseline => Some(Figures::BASELINE),
        Some(file) => cache::load(file, &fingerprint(candidate)),
        None => None,
    };
    let cached: Vec<Option<Figures>> = candidates.iter().map(cached).collect();
    let pairs = || candidates.iter().zip(&cached);
    let unmeasured: Vec<&Candidate> =
        pairs().filter(|(_, cached)| cached.is_none()).map(|(candidate, _)| candidate).collect();
    let results = if unmeasured.is_empty() {
        Vec::new()
    } else if (config.may_start)() {
        benchmark::run(&baseline, &unmeasured, config)
    } else if pairs().all(|(candidate, cached)| cached.is_none() || *candidate == baseline) {
        return Ok(Decision::unmeasured(candidates[0].clone(), OUT_OF_TIME.to_owned()));
    } else {
        vec![Err(OUT_OF_TIME.to_owned()); unmeasured.len()]
    };
    // Failures are not cached: a missing library may be there at the next start, and so may memory.
    let measured = unmeasured.iter().zip(&results).filter_map(|(&candidate, result)| {
        result.as_ref().ok().map(|&figures| (fingerprint(candidate), candidate, figures))
    });
    store(&measured.collect::<Vec<_>>(), config);
    let mut results = results.into_iter();
    let results = pairs().filter_map(|(candidate, cached)| {
        let result = cached.map(Ok).or_else(|| results.next())?;
        Some(BenchmarkResult { candidate: candidate.clone(), result, cached: cached.is_some() })
    });
    Ok(Decision::of(results.collect(), &candidates, request))
}

fn store(measured: &[(Sha256Hash, &Candidate, Figures)], config: &AutotuneConfig<'_>) {
    if let Some(file) = config.cache_file
        && !measured.is_empty()
        && let Err(error) = cache::store(file, &config.model.card().name, measured)
    {
        (config.on_cache_error)(&error);
    }
}

fn single_candidate_reason(request: ProviderRequest) -> String {
    match (request.provider, request.precision) {
        (ProviderChoice::Auto, PrecisionChoice::Exact) => {
            "no other provider is installed".to_owned()
        }
        (ProviderChoice::Only(_), PrecisionChoice::Exact) => "requested".to_owned(),
        (_, PrecisionChoice::Fast) => "no faster precision is known for this processor".to_owned(),
    }
}
