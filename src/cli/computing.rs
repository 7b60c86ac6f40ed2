//! What the models are computed with: from what was asked for to a loaded library.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::EngineArgs;
use super::error::CliError;
use super::setup;
use crate::engine::compute::{Choice, Computing};
use crate::engine::pool::TimeLimits;
use crate::engine::runtime::locate::Found;
use crate::engine::runtime::{RuntimeError, Search};
use crate::engine::trial::{self, Bench, Candidate, Request, Tried, Verdict};
use crate::engine::{Execution, Model, ModelCard, ModelName, ProviderChoice, Runtime};

/// The file of the figures so far, in the cache folder.
const MEMORY: &str = "trials.toml";

/// How long trying may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// What an engine that is tried may take.
    pub(super) limits: TimeLimits,
    /// No trial begins later than this.
    pub(super) total: Duration,
}

impl Default for Patience {
    /// Until everything has been tried.
    fn default() -> Patience {
        Patience { limits: TimeLimits::default(), total: Duration::MAX }
    }
}

/// Decides how each of `models` is computed, and loads the library for the first of them; the others are
/// computed with what this library has. Tries what there is to choose from, one model after the other; what is
/// chosen is told.
pub(super) fn choose(
    arguments: &EngineArgs,
    patience: Patience,
    models: &[Arc<Model>],
) -> Result<Computing, CliError> {
    let threads = setup::pool_config(arguments)?.threads_per_worker;
    let search = setup::search(arguments.runtime.as_deref());
    let libraries = setup::libraries(arguments, &search)?;
    Ok(of(arguments, threads, patience, &search, libraries, models)?)
}

/// The same with these libraries, by so many threads of one worker.
pub(super) fn of(
    arguments: &EngineArgs,
    threads: usize,
    patience: Patience,
    search: &Search,
    libraries: Vec<Found>,
    models: &[Arc<Model>],
) -> Result<Computing, RuntimeError> {
    let choosing = Choosing::new(arguments, threads, patience, models.len(), search);
    let mut chosen = BTreeMap::new();
    let Some((first, others)) = models.split_first() else {
        let runtime = Runtime::load(&libraries[0].path)?;
        return Ok(Computing::new(runtime, arguments.provider, chosen));
    };
    let verdict = choosing.decide(1, first, &libraries)?;
    let runtime = Runtime::load(&verdict.chosen.library)?;
    let (loaded, left): (Vec<Found>, Vec<Found>) =
        libraries.into_iter().partition(|found| found.path == verdict.chosen.library);
    let is_bound = !left.is_empty() && loaded.iter().all(|found| found.providers().len() == 1);
    let choice = choosing.proved(first.card(), verdict, &runtime)?;
    chosen.insert(first.card().name.clone(), choice);
    for (number, model) in (2..).zip(others) {
        let card = model.card();
        let mut decided = choosing.decide(number, model, &loaded);
        if let Ok(verdict) = &mut decided
            && is_bound
            && verdict.tried.is_empty()
            && choosing.request(card).provider == ProviderChoice::Auto
        {
            let library = format!("the library that computes {}", first.card().name);
            verdict.reason = format!("{library} has nothing else, and only one can be loaded");
        }
        match decided.and_then(|verdict| choosing.proved(card, verdict, &runtime)) {
            Ok(choice) => drop(chosen.insert(card.name.clone(), choice)),
            Err(error) if arguments.provider != ProviderChoice::Auto => return Err(error),
            // Its card asks for what is not here: the others do without it, as with one that does not load.
            Err(error) => eprintln!("warning: {}: {error}", card.name),
        }
    }
    choosing.warn();
    Ok(Computing::new(runtime, arguments.provider, chosen))
}

/// What is the same for all models.
struct Choosing {
    asked: Request,
    patience: Patience,
    begun: Instant,
    /// How many there are.
    models: usize,
    threads: usize,
    models_dir: Option<PathBuf>,
    memory: Option<PathBuf>,
    /// Why nothing is kept there.
    unkept: OnceCell<String>,
}

impl Choosing {
    fn new(
        arguments: &EngineArgs,
        threads: usize,
        patience: Patience,
        models: usize,
        search: &Search,
    ) -> Choosing {
        let folder = search.cache.as_ref().and_then(|cache| cache.parent());
        Choosing {
            asked: Request { provider: arguments.provider, precision: arguments.precision },
            patience,
            begun: Instant::now(),
            models,
            threads,
            models_dir: setup::models_folder(arguments.models_dir.as_deref()).ok(),
            memory: folder.map(|folder| folder.join(MEMORY)),
            unkept: OnceCell::new(),
        }
    }

    /// Says what the next start has to do again.
    fn warn(&self) {
        if let (Some(file), Some(reason)) = (&self.memory, self.unkept.get()) {
            let file = file.display();
            eprintln!(
                "warning: the next start tries it all again: {file} cannot be written: {reason}"
            );
        }
    }

    /// What is asked for with this model: the command line counts before the card.
    fn request(&self, card: &ModelCard) -> Request {
        match self.asked.provider {
            ProviderChoice::Auto => Request { provider: card.provider, ..self.asked },
            ProviderChoice::Only(_) => self.asked,
        }
    }

    fn decide(
        &self,
        number: usize,
        model: &Model,
        libraries: &[Found],
    ) -> Result<Verdict, RuntimeError> {
        let command = |candidate: &Candidate| self.command(model, candidate);
        let name = &model.card().name;
        let begin = || {
            let in_time = self.begun.elapsed() < self.patience.total;
            if in_time {
                let models = (number, self.models);
                eprintln!("{}", announcement(name, models, self.memory.is_some()));
            }
            in_time
        };
        let unkept = |error: &io::Error| {
            // The next would say the same.
            let _ = self.unkept.set(error.to_string());
        };
        let bench = Bench {
            model,
            threads: self.threads,
            limits: self.patience.limits,
            command: &command,
            begin: &begin,
            memory: self.memory.as_deref(),
            unkept: &unkept,
        };
        trial::decide(libraries, self.request(model.card()), &bench)
    }

    /// The choice that follows from a verdict, once its provider has been woken up; it is told.
    ///
    /// A provider that was asked for must wake up. One that won does so unless something has changed since.
    fn proved(
        &self,
        card: &ModelCard,
        verdict: Verdict,
        runtime: &Runtime,
    ) -> Result<Choice, RuntimeError> {
        let Verdict { chosen, mut reason, mut tried } = verdict;
        let mut execution = chosen.execution;
        if execution != Execution::REFERENCE
            && let Err(failure) = runtime.probe(execution)
        {
            let provider = execution.provider;
            if self.request(card).provider != ProviderChoice::Auto {
                let path = runtime.path().to_owned();
                return Err(RuntimeError::ProviderFails { provider, path, reason: failure });
            }
            tried.retain(|tried| tried.candidate != chosen);
            tried.push(Tried { candidate: chosen, result: Err(failure), recalled: false });
            (execution, reason) = (Execution::REFERENCE, format!("{provider} fails now"));
        }
        // What all others are measured by was not tried itself.
        tried.retain(|tried| tried.candidate.execution != Execution::REFERENCE);
        let choice = Choice { execution, reason, tried };
        tell(card, &choice);
        Ok(choice)
    }

    /// `stemwire trial` for a candidate.
    fn command(&self, model: &Model, candidate: &Candidate) -> Command {
        let Candidate { library, execution } = candidate;
        // A binary whose path is not known cannot be started; the trial says so.
        let mut command = Command::new(std::env::current_exe().unwrap_or_default());
        command.arg("trial").arg("--library").arg(library);
        command.args(["--provider", execution.provider.as_str()]);
        command.args(["--precision", execution.precision.as_str()]);
        command.args(["--threads", &self.threads.to_string()]);
        command.args(["--model", model.card().name.as_str()]);
        if let Some(folder) = &self.models_dir {
            command.arg("--models-dir").arg(folder);
        }
        command
    }
}

/// Tells the log what was chosen and why.
fn tell(card: &ModelCard, choice: &Choice) {
    let Choice { execution: Execution { provider, precision }, reason, tried } = choice;
    for tried in tried {
        if tried.result.is_err() {
            eprintln!("warning: {tried}");
        }
        tracing::info!(model = %card.name, recalled = tried.recalled, "{tried}");
    }
    tracing::info!(model = %card.name, %provider, %precision, reason, "computes");
}

/// What is told before a trial of the model of this number, of so many.
fn announcement(name: &ModelName, (number, models): (usize, usize), is_kept: bool) -> String {
    let place = match models {
        1 => String::new(),
        models => format!(", model {number} of {models}"),
    };
    let kept = if is_kept { "; the answer is kept" } else { "" };
    format!("trying what computes {name} fastest here{place}{kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_where_nothing_can_be_kept() {
        let told = |models, is_kept| announcement(&"mini".parse().unwrap(), models, is_kept);
        assert_eq!(
            told((1, 1), true),
            "trying what computes mini fastest here; the answer is kept"
        );
        assert_eq!(told((2, 3), false), "trying what computes mini fastest here, model 2 of 3");
    }
}
