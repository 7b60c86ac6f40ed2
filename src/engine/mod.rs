//! Engines: loaded models that separate one segment, and what it takes to run them.
//!
//! - [`runtime`]: finds, installs and loads ONNX Runtime.
//! - [`provider`]: execution providers and precisions, and which one a model runs on; [`autotune`]: which of them is
//!   the fastest above the SNR threshold.
//! - [`inference`]: one module per model family, and the spectra around the graphs.
//! - [`fallback`]: the chain of models to try, and circuit breakers.
//! - [`pool`]: worker threads that run segments fairly and within time limits. [`stop`]: ending a run early.
//!
//! Knows nothing of sessions, track files or the wire.

pub mod autotune;
pub mod fallback;
pub mod inference;
pub mod limits;
pub mod pool;
pub mod provider;
pub mod runtime;
pub mod stop;

use std::sync::Arc;
use std::time::Duration;

use crate::audio::Stereo;
use crate::dsp::mask::MaskExtension;

pub use fallback::chain::Chain;
pub use provider::selection::ProviderSelection;
pub use provider::{Execution, Precision, PrecisionChoice, Provider, ProviderChoice};
pub use runtime::{ExecutionConfig, Runtime};
pub use stop::Stopper;

use crate::model::{Model, ModelCard, ModelName, Sha256Hash};
use crate::proto::reason::ErrorReason;

/// A loaded model: separates one segment at a time.
pub trait Engine: Send {
    /// Makes ready what `options` need, so that separating takes no longer the first time.
    ///
    /// # Errors
    /// Those of loading a model.
    fn prepare(&mut self, options: &EngineOptions) -> Result<(), EngineError> {
        // Most engines are ready for everything once they are loaded.
        let _ = options;
        Ok(())
    }

    /// Separates one segment.
    ///
    /// `mix` has exactly the card's `segment` frames. Answers the card's stems in its order, each as
    /// long as `mix` and finite; those that are not wanted may be silence. The same `mix` gives the
    /// same bits of every wanted stem, whatever else is wanted.
    ///
    /// # Errors
    /// [`EngineError::Run`] when the model fails, [`EngineError::NotFinite`] when it answers NaN or
    /// infinity.
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError>;

    /// Gives out what stops the next segment: it is asked for once the engine is [prepared](Engine::prepare), and
    /// reaches the segment from then on until that has ended. What was asked of those before is forgotten.
    /// `None` where an engine cannot be asked.
    fn stopper(&mut self) -> Option<Stopper> {
        None
    }
}

/// Where workers get their engines from.
pub trait Loader: Send + Sync {
    /// Loads `model` into memory, ready to compute with `threads` threads.
    ///
    /// # Errors
    /// [`EngineError::File`], [`EngineError::Hash`], [`EngineError::Load`].
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError>;
}

/// What a session asks of an engine, the same for each of its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Whether each of the card's stems, in its order, is looked at.
    pub wanted: Vec<bool>,
    /// What a mask is worth above the bins that a model sees; for those that mask.
    pub mask_extension: MaskExtension,
}

impl EngineOptions {
    /// All of a model's stems.
    pub fn all(card: &ModelCard) -> EngineOptions {
        EngineOptions {
            wanted: vec![true; card.stems.len()],
            mask_extension: MaskExtension::default(),
        }
    }
}

/// An engine by all that its numbers depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineIdentity {
    /// The model's name.
    pub model: ModelName,
    /// What tells the weights from all others: [`ModelCard::weights_hash`].
    pub weights: Sha256Hash,
    /// Whether they are known to be their makers' own: [`Model::is_verified`].
    pub verified: bool,
    /// What computes.
    pub provider: Provider,
    /// Such as `onnxruntime 1.31.1`.
    pub runtime: String,
    /// Compute threads of one worker.
    pub threads: usize,
    /// In what it computes.
    pub precision: Precision,
}

/// What goes wrong with models and engines.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// There is no model of that name.
    #[error("there is no model {name:?}: there are {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names there are, comma-separated.
        known: String,
    },
    /// There would be such a model, but it has not been downloaded.
    #[error("model {model} is not installed")]
    NotInstalled {
        /// The model.
        model: String,
    },
    /// No model of the chain yields these stems.
    #[error("no model of the chain yields {wanted}: {available}")]
    NoModelForStems {
        /// The stems wanted.
        wanted: String,
        /// Which model yields what.
        available: String,
    },
    /// A card does not parse or contradicts itself.
    #[error("the model card {card} is not valid: {reason}")]
    Card {
        /// The card's path.
        card: String,
        /// What is wrong in it.
        reason: String,
    },
    /// A model's file cannot be read.
    #[error("cannot read {path} of model {model}: {reason}")]
    File {
        /// The model.
        model: String,
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A model's file is not the one that its card names.
    #[error(
        "{path} of model {model} has SHA-256 {found}, but its card says {expected}: the file is \
         damaged or another one"
    )]
    Hash {
        /// The model.
        model: String,
        /// The file.
        path: String,
        /// The hash in the card.
        expected: Sha256Hash,
        /// The hash of the file.
        found: Sha256Hash,
    },
    /// Weights and graph do not go together, or the runtime refuses the model.
    #[error("model {model} cannot be loaded: {reason}")]
    Load {
        /// The model.
        model: String,
        /// What does not fit.
        reason: String,
    },
    /// The model failed on a segment.
    #[error("model {model} failed on a segment: {reason}")]
    Run {
        /// The model.
        model: String,
        /// What the runtime says.
        reason: String,
    },
    /// The model answered NaN or infinity.
    #[error("model {model} answered numbers that are not finite")]
    NotFinite {
        /// The model.
        model: String,
    },
    /// The engine's code panicked; the engine is loaded anew for the next segment.
    #[error("model {model} panicked: {reason}")]
    Panicked {
        /// The model.
        model: String,
        /// The panic's message.
        reason: String,
    },
    /// The engine took too long; where it did not listen, its thread was given up.
    #[error("model {model} did not answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The model.
        model: String,
        /// What it had.
        limit: Duration,
    },
    /// No engine of the chain works.
    #[error("no engine works: {faults}")]
    NoneWorks {
        /// What is wrong with each.
        faults: String,
        /// Whether one of them failed on segments only: it is probed, and may return to service.
        may_recover: bool,
    },
    /// The job was cancelled before it ran.
    #[error("the segment was cancelled")]
    Cancelled,
    /// The pool is shutting down.
    #[error("the workers are shutting down")]
    ShuttingDown,
}

impl EngineError {
    /// Whether the model itself is of no use, so that no segment will fare better.
    pub fn is_model_unusable(&self) -> bool {
        match self {
            EngineError::UnknownModel { .. }
            | EngineError::NotInstalled { .. }
            | EngineError::NoModelForStems { .. }
            | EngineError::Card { .. }
            | EngineError::File { .. }
            | EngineError::Hash { .. }
            | EngineError::Load { .. }
            | EngineError::NoneWorks { .. } => true,
            EngineError::Run { .. }
            | EngineError::NotFinite { .. }
            | EngineError::Panicked { .. }
            | EngineError::TimedOut { .. }
            | EngineError::Cancelled
            | EngineError::ShuttingDown => false,
        }
    }

    /// The reason on the wire.
    pub fn reason(&self) -> ErrorReason {
        match self {
            EngineError::UnknownModel { .. } => ErrorReason::ModelUnknown,
            EngineError::NotInstalled { .. } => ErrorReason::ModelNotInstalled,
            EngineError::NoModelForStems { .. } => ErrorReason::StemUnknown,
            EngineError::Card { .. }
            | EngineError::File { .. }
            | EngineError::Hash { .. }
            | EngineError::Load { .. }
            | EngineError::NoneWorks { .. } => ErrorReason::ModelUnavailable,
            EngineError::Run { .. }
            | EngineError::NotFinite { .. }
            | EngineError::Panicked { .. }
            | EngineError::TimedOut { .. } => ErrorReason::EngineFailed,
            EngineError::Cancelled => ErrorReason::SessionCancelled,
            EngineError::ShuttingDown => ErrorReason::ShuttingDown,
        }
    }

    /// What to do about it: one sentence.
    pub fn remedy(&self) -> String {
        match self {
            EngineError::NotInstalled { model } => {
                format!("Run `stemwire models pull {model}`, or name another model.")
            }
            EngineError::NoModelForStems { .. } => {
                "Ask for stems that the model yields, or name another model.".into()
            }
            EngineError::Hash { .. } => "Install the model again.".into(),
            EngineError::NoneWorks { .. } => {
                "Run `stemwire doctor` on the server, and repair or replace the model.".into()
            }
            other => other.reason().remedy().to_owned(),
        }
    }

    /// What those may read who only watch over a server: it names no place, nor says what a library or the system
    /// says, which may name one.
    pub fn public_message(&self) -> String {
        match self {
            EngineError::Card { .. } => "a model card is not valid".into(),
            EngineError::File { model, .. } => format!("a file of model {model} cannot be read"),
            EngineError::Hash { model, .. } => {
                format!("a file of model {model} is damaged or another one")
            }
            EngineError::Load { model, .. } => format!("model {model} cannot be loaded"),
            EngineError::Run { model, .. } => format!("model {model} failed on a segment"),
            EngineError::Panicked { model, .. } => format!("model {model} panicked"),
            EngineError::NoneWorks { .. } => "no engine works".into(),
            other => other.to_string(),
        }
    }
}

/// One segment's answer.
#[derive(Debug)]
pub struct SeparatedSegment {
    /// The card's stems, in its order.
    pub stems: Vec<Stereo>,
    /// How long the engine took, loading left out.
    pub engine_time: Duration,
}
