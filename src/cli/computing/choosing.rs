//! Which provider computes a model: tried where there is a choice, proved, and told.

use std::cell::OnceCell;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use super::Patience;
use crate::cli::args::EngineArgs;
use crate::cli::setup;
use crate::engine::autotune;
use crate::engine::autotune::{Bench, Candidate, Request, Tried, Verdict};
use crate::engine::provider::selection::Choice;
use crate::engine::runtime::locate::Found;
use crate::engine::runtime::{RuntimeError, Search};
use crate::engine::{Execution, ProviderChoice, Runtime};
use crate::model::{Model, ModelCard, ModelName};

/// The file of the figures so far, in the cache folder.
const MEMORY: &str = "trials.toml";

/// The library that is loaded.
pub(super) struct Library {
    pub(super) runtime: Runtime,
    /// Where it was found.
    found: Vec<Found>,
    /// Why there is nothing to choose from, where it has only one provider and other libraries have more.
    bound: Option<String>,
}

impl Library {
    /// Loads the one that has won with `model`.
    fn load(
        verdict: &Verdict,
        model: &ModelCard,
        libraries: &[Found],
    ) -> Result<Library, RuntimeError> {
        let runtime = Runtime::load(&verdict.chosen.library)?;
        let (found, left): (Vec<Found>, Vec<Found>) =
            libraries.iter().cloned().partition(|found| found.path == verdict.chosen.library);
        let is_bound = !left.is_empty() && found.iter().all(|found| found.providers().len() == 1);
        let why = format!(
            "the library that computes {} has nothing else, and only one can be loaded",
            model.name
        );
        Ok(Library { runtime, found, bound: is_bound.then_some(why) })
    }
}

/// What is the same for all models.
pub(super) struct Choosing {
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
    pub(super) fn new(
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
    pub(super) fn warn(&self) {
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

    /// How a model is computed. The first that can be computed chooses the library.
    pub(super) fn choose(
        &self,
        number: usize,
        model: &Model,
        libraries: &[Found],
        library: &mut Option<Library>,
    ) -> Result<Choice, RuntimeError> {
        let card = model.card();
        let (verdict, library) = match library {
            Some(library) => {
                let mut verdict = self.decide(number, model, &library.found)?;
                if let Some(why) = &library.bound
                    && verdict.tried.is_empty()
                    && self.request(card).provider == ProviderChoice::Auto
                {
                    verdict.reason.clone_from(why);
                }
                (verdict, library)
            }
            None => {
                let verdict = self.decide(number, model, libraries)?;
                let loaded = Library::load(&verdict, card, libraries)?;
                (verdict, library.insert(loaded))
            }
        };
        self.proved(card, verdict, &library.runtime)
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
        autotune::decide(libraries, self.request(model.card()), &bench)
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
