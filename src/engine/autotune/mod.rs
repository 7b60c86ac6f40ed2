//! Autotune: finds the fastest execution provider above the SNR threshold by measuring.
//!
//! A process can load only one build of ONNX Runtime, and a provider that does not fit the machine may crash the
//! process. So each [`candidate`] runs in a [`child`] process, which separates the same fixed [`segment`] as the
//! baseline, in turn with it ([`benchmark`]). The [`decision`] compares SNR and times. Results are kept in a
//! [`cache`] under a [`fingerprint`] of everything that they depend on, so that only the first start waits for them;
//! a candidate that failed is measured again at the next start.

mod benchmark;
mod cache;
pub mod candidate;
pub mod child;
pub mod decision;
mod fingerprint;
mod process;
mod runner;
mod segment;
#[cfg(all(test, unix))]
mod tests;

use std::io;
use std::path::Path;
use std::process::Command;

use super::pool::TimeLimits;
use super::runtime::RuntimeError;
use super::runtime::locate::Found;
use super::{Execution, PrecisionChoice, ProviderChoice};
use crate::model::{Model, Sha256Hash};
use fingerprint::Machine;

pub use candidate::{Candidate, Request};
pub use decision::{Figures, Tried, Verdict};

/// What a trial is made with.
pub struct Bench<'a> {
    /// The model that is tried.
    pub model: &'a Model,
    /// Compute threads of one worker.
    pub threads: usize,
    /// What loading and a segment may take.
    pub limits: TimeLimits,
    /// The command whose process is a [`child`] for a candidate.
    pub command: &'a dyn Fn(&Candidate) -> Command,
    /// Is told that trying is about to begin, which takes a while; answers whether there is time for it.
    pub begin: &'a dyn Fn() -> bool,
    /// The file of the figures so far, where they are kept.
    pub memory: Option<&'a Path>,
    /// Is told why they cannot be.
    pub unkept: &'a dyn Fn(&io::Error),
}

/// Decides how a model is computed. Trying is done only where there is a choice, and of each candidate only until
/// it has succeeded once.
///
/// # Errors
/// [`RuntimeError::NoProvider`] where none of the libraries, of which there is one at least, has the provider
/// that is asked for. What fails in a trial is no error: the candidate is then left out.
pub fn decide(
    libraries: &[Found],
    request: Request,
    bench: &Bench<'_>,
) -> Result<Verdict, RuntimeError> {
    let candidates = candidate::candidates(libraries, request)?;
    if let [only] = &candidates[..] {
        return Ok(Verdict::untried(only.clone(), why_alone(request)));
    }
    let reference =
        Candidate { library: libraries[0].path.clone(), execution: Execution::REFERENCE };
    let machine = Machine::this();
    let key = |candidate: &Candidate| fingerprint::key(&reference, candidate, bench, &machine);
    let recall = |candidate: &Candidate| match bench.memory {
        // It needs no trial.
        _ if *candidate == reference => Some(Figures::REFERENCE),
        Some(file) => cache::recall(file, &key(candidate)),
        None => None,
    };
    let known: Vec<Option<Figures>> = candidates.iter().map(recall).collect();
    let pairs = || candidates.iter().zip(&known);
    let left: Vec<&Candidate> =
        pairs().filter(|(_, known)| known.is_none()).map(|(candidate, _)| candidate).collect();
    let results = if left.is_empty() {
        Vec::new()
    } else if (bench.begin)() {
        benchmark::hold(&reference, &left, bench)
    } else if pairs().all(|(candidate, known)| known.is_none() || *candidate == reference) {
        let reason = "there was no time left to try others; the next start may";
        return Ok(Verdict::untried(candidates[0].clone(), reason.to_owned()));
    } else {
        let reason = "there was no time left to try it; the next start may";
        vec![Err(reason.to_owned()); left.len()]
    };
    // What failed today may work tomorrow: a library was missing, or memory.
    let succeeded = left.iter().zip(&results).filter_map(|(&candidate, result)| {
        result.as_ref().ok().map(|&figures| (key(candidate), candidate, figures))
    });
    keep(&succeeded.collect::<Vec<_>>(), bench);
    let mut results = results.into_iter();
    let tried = pairs().filter_map(|(candidate, known)| {
        let result = known.map(Ok).or_else(|| results.next())?;
        Some(Tried { candidate: candidate.clone(), result, recalled: known.is_some() })
    });
    Ok(Verdict::of(tried.collect(), &candidates, request))
}

fn keep(succeeded: &[(Sha256Hash, &Candidate, Figures)], bench: &Bench<'_>) {
    if let Some(file) = bench.memory
        && !succeeded.is_empty()
        && let Err(error) = cache::keep(file, &bench.model.card().name, succeeded)
    {
        (bench.unkept)(&error);
    }
}

/// Why there is one candidate only.
fn why_alone(request: Request) -> String {
    match (request.provider, request.precision) {
        (ProviderChoice::Auto, PrecisionChoice::Exact) => "there is no other here".to_owned(),
        (ProviderChoice::Only(_), PrecisionChoice::Exact) => "asked for".to_owned(),
        (_, PrecisionChoice::Fast) => "nothing faster is known on this processor".to_owned(),
    }
}
