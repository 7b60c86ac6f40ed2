//! Which provider is the fastest that keeps the numbers, found out by trying.
//!
//! Only one build of ONNX Runtime can be loaded in a process, and a provider that does not fit the machine
//! may take the process down: so each [`candidate`] is tried in a [`child`] process, which separates the same
//! fixed [`segment`] as the reference, turn by turn ([`contest`]). The [`verdict`] compares numbers and times,
//! and is kept in a [`memory`], so that only the first start waits for it.

pub mod candidate;
pub mod child;
mod contest;
mod contestant;
mod memory;
mod process;
mod segment;
pub mod verdict;

use std::path::Path;
use std::process::Command;

use super::pool::TimeLimits;
use super::runtime::RuntimeError;
use super::runtime::locate::Found;
use super::{Execution, Model, PrecisionChoice, ProviderChoice};

pub use candidate::{Candidate, Request};
pub use verdict::{Figures, Tried, Verdict};

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
    /// The file of the verdicts so far, where they are kept.
    pub memory: Option<&'a Path>,
}

/// Decides how a model is computed. Trying is done only where there is a choice, and only once.
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
    let key = memory::key(&reference, &candidates, bench);
    if let Some(verdict) = bench.memory.and_then(|file| memory::recall(file, &key)) {
        return Ok(verdict);
    }
    if !(bench.begin)() {
        let reason = "there was no time left to try others; the next start may";
        return Ok(Verdict::untried(candidates[0].clone(), reason.to_owned()));
    }
    let tried = contest::hold(&reference, &candidates, bench);
    let verdict = Verdict::of(tried, &candidates, request);
    // What failed today may work tomorrow: a library was missing, or memory.
    if let Some(file) = bench.memory
        && verdict.tried.iter().all(|tried| tried.result.is_ok())
    {
        memory::keep(file, &key, &verdict);
    }
    Ok(verdict)
}

/// Why there is one candidate only.
fn why_alone(request: Request) -> String {
    match (request.provider, request.precision) {
        (ProviderChoice::Auto, PrecisionChoice::Exact) => "there is no other here".to_owned(),
        (ProviderChoice::Only(_), PrecisionChoice::Exact) => "asked for".to_owned(),
        (_, PrecisionChoice::Fast) => "nothing faster is known on this processor".to_owned(),
    }
}
