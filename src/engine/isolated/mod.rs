//! An engine in a process of its own, for a segment during which the server has ended abnormally. A crash of the engine
//! then ends only that process, and the signal that ended it tells a crash from a kill.
//!
//! The process is this same binary ([`child`]), on the same provider and with as many threads, so that the stems are the
//! same to the bit.

pub mod child;
mod messages;

use std::io;
use std::process::{ChildStdin, Command};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::provider::selection::ProviderSelection;
use super::{Engine, EngineError, EngineOptions, ExecutionConfig, Loader, Stopper};
use crate::audio::Stereo;
use crate::files::Shortage;
use crate::model::Model;
use crate::process::{ChildProcess, Death, Ending, Limit, Messages};
use messages::{IsolatedMessage, SegmentRequest};

/// Builds the command whose process is the [`child`] of an engine.
pub type IsolatedCommand = Box<dyn Fn(&Model, &ExecutionConfig) -> Command + Send + Sync>;

/// Loads engines in this process, or in processes of their own.
pub struct IsolatingLoader {
    providers: ProviderSelection,
    command: IsolatedCommand,
}

impl IsolatingLoader {
    /// Engines on these providers, isolated in the processes of `command`.
    pub fn new(providers: ProviderSelection, command: IsolatedCommand) -> IsolatingLoader {
        IsolatingLoader { providers, command }
    }
}

impl Loader for IsolatingLoader {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        self.providers.load(model, threads)
    }

    fn load_isolated(
        &self,
        model: &Arc<Model>,
        threads: usize,
        limit: Duration,
    ) -> Result<Box<dyn Engine>, EngineError> {
        let config = self.providers.execution_config(model, threads);
        let mut command = (self.command)(model, &config);
        Ok(Box::new(IsolatedEngine::start(&mut command, model, limit)?))
    }
}

/// An engine in a process of its own. Dropping it kills the process.
pub struct IsolatedEngine {
    model: String,
    stems: usize,
    /// A [`Stopper`] kills it, too.
    process: Arc<ChildProcess>,
    input: ChildStdin,
    messages: Messages<IsolatedMessage>,
}

impl IsolatedEngine {
    /// Starts the process and waits until it has loaded `model`, at most for `limit`.
    ///
    /// # Errors
    /// [`EngineError::SystemLimit`] if the process cannot be started for lack of a resource; [`EngineError::Load`];
    /// those of [`Engine::separate`].
    pub fn start(
        command: &mut Command,
        model: &Model,
        limit: Duration,
    ) -> Result<IsolatedEngine, EngineError> {
        let (name, stems) = (model.card().name.to_string(), model.card().stems.len());
        let not_started = |error: io::Error| {
            let (model, reason) = (name.clone(), format!("its process does not start: {error}"));
            match Shortage::of_start(&error) {
                Some(_) => EngineError::SystemLimit { model, reason },
                None => EngineError::Load { model, reason },
            }
        };
        let (process, input, output) = ChildProcess::start(command).map_err(not_started)?;
        let messages = Messages::start("engine-output", output, IsolatedMessage::read);
        let messages = messages.map_err(not_started)?;
        let (model, process) = (name.clone(), Arc::new(process));
        let engine = IsolatedEngine { model, stems, process, input, messages };
        match engine.receive(limit)? {
            IsolatedMessage::Loaded => Ok(engine),
            IsolatedMessage::Failed(reason) => Err(EngineError::of_load(&name, reason)),
            IsolatedMessage::Stems(_) | IsolatedMessage::NotFinite => Err(engine.out_of_turn()),
        }
    }

    /// The next message.
    fn receive(&self, limit: Duration) -> Result<IsolatedMessage, EngineError> {
        self.messages.receive(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => EngineError::TimedOut { model: self.model.clone(), limit },
            RecvTimeoutError::Disconnected => self.ended(&self.process.ending()),
        })
    }

    /// The error of a process that has ended without a message.
    fn ended(&self, ending: &Ending) -> EngineError {
        let model = self.model.clone();
        let reason = format!("its process {ending}");
        match (ending.limit, ending.death()) {
            (Some(Limit::Memory), _) => EngineError::SystemLimit { model, reason },
            (_, Some(Death::Fault(signal))) => EngineError::Crashed { model, signal },
            (_, Some(Death::Killed)) => EngineError::Killed { model },
            (_, None) => EngineError::Run { model, reason },
        }
    }

    fn out_of_turn(&self) -> EngineError {
        let reason = "its process answered out of turn".to_owned();
        EngineError::Run { model: self.model.clone(), reason }
    }

    /// Cuts the samples of all stems into planes of `frames` frames.
    fn stems(&self, samples: &[f32], frames: usize) -> Option<Vec<Stereo>> {
        let mut planes = samples.chunks_exact(frames.max(1)).map(<[f32]>::to_vec);
        if samples.len() != self.stems * 2 * frames {
            return None;
        }
        (0..self.stems).map(|_| Stereo::from_planes(planes.next()?, planes.next()?)).collect()
    }
}

impl Engine for IsolatedEngine {
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        // If the process has ended, `receive` reports how.
        let _ = SegmentRequest::write(mix, options, &mut self.input);
        // The watchdog enforces the time limit: it kills the process through the stopper.
        match self.receive(Duration::MAX)? {
            IsolatedMessage::Stems(samples) => {
                self.stems(&samples, mix.len()).ok_or_else(|| self.out_of_turn())
            }
            IsolatedMessage::NotFinite => Err(EngineError::NotFinite { model: self.model.clone() }),
            IsolatedMessage::Failed(reason) => Err(EngineError::of_run(&self.model, reason)),
            IsolatedMessage::Loaded => Err(self.out_of_turn()),
        }
    }

    fn stopper(&mut self) -> Option<Stopper> {
        let process = Arc::clone(&self.process);
        Some(Arc::new(move || process.kill()))
    }
}

impl Drop for IsolatedEngine {
    fn drop(&mut self) {
        // Before `messages` is dropped, which waits for the end of the output.
        self.process.kill();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
