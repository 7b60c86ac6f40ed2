//! Engines: loaded models that separate one segment, and what it takes to run them.
//!
//! - [`runtime`]: finds, installs and loads ONNX Runtime.
//! - [`inference`]: one module per model family, and the spectra around the graphs.
//! - [`fallback`]: the chain of models to try, and circuit breakers.
//! - [`ensemble`]: an engine made of engines.
//! - [`autotune`]: measures the fastest execution provider above the SNR threshold.
//! - [`speed`]: the expected speed of models on this machine.
//! - [`provider`]: execution providers and precisions, and the selection of one for each model.
//! - [`isolated`]: an engine in a process of its own.
//! - [`pool`]: worker threads that run segments fairly and within time [`limits`]. [`stop`]: ending a run early.
//!
//! No module here depends on sessions, track files or the wire.

pub mod autotune;
mod cache_file;
pub mod ensemble;
mod error;
pub mod fallback;
pub mod inference;
pub mod isolated;
pub mod limits;
mod machine;
mod marked_lines;
pub mod pool;
pub mod provider;
pub mod runtime;
pub mod speed;
pub mod stop;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::audio::Stereo;
use crate::dsp::mask::MaskExtension;
use crate::model::{Model, ModelCard, ModelName, Sha256Hash};

pub use error::EngineError;
pub use fallback::chain::Chain;
pub use provider::selection::ProviderSelection;
pub use provider::{Execution, Precision, PrecisionChoice, Provider, ProviderChoice};
pub use runtime::{ExecutionConfig, Runtime};
pub use stop::Stopper;

/// A loaded model, which separates one segment at a time.
pub trait Engine: Send {
    /// Loads what `options` need, so that the first segment takes no longer than others.
    ///
    /// # Errors
    /// Those of loading a model.
    fn prepare(&mut self, options: &EngineOptions) -> Result<(), EngineError> {
        // Most engines are complete once they are loaded.
        let _ = options;
        Ok(())
    }

    /// Separates one segment.
    ///
    /// `mix` has exactly the frames of the card's `segment`. Returns the card's stems in its order, each as long as `mix`
    /// and finite; unwanted ones may be silence. The same `mix` gives the same bits of every wanted stem, whatever else is
    /// wanted.
    ///
    /// # Errors
    /// [`EngineError::Run`] if the model fails, [`EngineError::NotFinite`] if it yields NaN or infinity.
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError>;

    /// A stopper for the next segment, requested once the engine is [prepared](Engine::prepare). It works from now until
    /// that segment has ended; earlier stop requests are cleared. `None` if the engine cannot be stopped.
    fn stopper(&mut self) -> Option<Stopper> {
        None
    }
}

/// Loads engines for workers.
pub trait Loader: Send + Sync {
    /// Loads `model` into memory, ready to run with `threads` compute threads.
    ///
    /// # Errors
    /// [`EngineError::Model`], [`EngineError::Load`], [`EngineError::OutOfMemory`].
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError>;

    /// Loads `model` in a process of its own, within `limit`, so that a crash of the engine ends nothing else. A loader
    /// without such processes loads it in this one.
    ///
    /// # Errors
    /// As [`Loader::load`]; [`EngineError::Crashed`], [`EngineError::Killed`], [`EngineError::SystemLimit`].
    fn load_isolated(
        &self,
        model: &Arc<Model>,
        threads: usize,
        limit: Duration,
    ) -> Result<Box<dyn Engine>, EngineError> {
        let _ = limit;
        self.load(model, threads)
    }
}

/// Options of an engine, the same for all segments of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineOptions {
    /// Whether each of the card's stems, in its order, is wanted.
    pub wanted: Vec<bool>,
    /// Value of a mask above the bins of the model, for models that mask.
    pub mask_extension: MaskExtension,
    /// For an ensemble: what its members see. Without it they see the segment as it is.
    pub members: Option<MemberInput>,
}

/// What the members of an ensemble see of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberInput {
    /// The level of the track for each member.
    pub levels: Vec<InputLevel>,
    /// The frames of the segment that are of the track. The others are padding, which is zero at every level.
    pub track: Range<usize>,
}

/// The level of a track. Input is (sample - mean) / deviation, and output is scaled back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputLevel {
    /// Mean of the mono mix.
    pub mean: f32,
    /// Its standard deviation, above 0.
    pub deviation: f32,
}

impl InputLevel {
    /// That of input which is not changed.
    pub const UNCHANGED: InputLevel = InputLevel { mean: 0.0, deviation: 1.0 };
}

impl EngineOptions {
    /// All stems of a model.
    pub fn all(card: &ModelCard) -> EngineOptions {
        EngineOptions {
            wanted: vec![true; card.stems.len()],
            mask_extension: MaskExtension::default(),
            members: None,
        }
    }
}

/// A separated segment.
#[derive(Debug)]
pub struct SeparatedSegment {
    /// The card's stems, in its order.
    pub stems: Vec<Stereo>,
    /// Time the engine took, without loading.
    pub engine_time: Duration,
}

/// Everything that the numbers of an engine depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineIdentity {
    /// The model's name.
    pub model: ModelName,
    /// Identifies the weights: [`ModelCard::weights_hash`].
    pub weights: Sha256Hash,
    /// Whether the weights are known to be those of their authors: [`Model::is_verified`].
    pub verified: bool,
    /// The execution provider.
    pub provider: Provider,
    /// The library, such as `onnxruntime 1.31.1`.
    pub runtime: String,
    /// Compute threads of one worker.
    pub threads: usize,
    /// The precision.
    pub precision: Precision,
}
