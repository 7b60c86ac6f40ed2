//! Weights in memory, shared by all engines of a process.

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use ort::session::builder::SessionBuilder;
use ort::value::{DynValue, Tensor};

use crate::engine::EngineError;
use crate::model::checkpoint::{self, NamedTensor};
use crate::model::onnx::{Graph, Shapes};
use crate::model::{Model, Sha256Hash};

/// The weights of one file, as tensors of the runtime that fill the initialisers of a graph.
pub(crate) struct Weights {
    tensors: Vec<(String, Arc<DynValue>)>,
    shapes: Shapes,
    has_training_tensors: bool,
}

/// The weights in memory by the hash of their file. An entry's lock is held while its file is loaded, so that it is
/// loaded once; the weights are freed with the last engine that uses them.
static SHARED: LazyLock<Mutex<HashMap<Sha256Hash, CachedWeights>>> = LazyLock::new(Mutex::default);

type CachedWeights = Arc<Mutex<Weak<Weights>>>;

/// Whether any file of weights of `model` is in memory.
pub fn is_loaded(model: &Model) -> bool {
    let shared = lock(&SHARED);
    let entries = model.card().weights.iter().filter_map(|file| shared.get(&file.sha256));
    // An entry that is locked is being loaded.
    let mut counts =
        entries.map(|entry| entry.try_lock().map_or(0, |weights| weights.strong_count()));
    counts.any(|count| count > 0)
}

impl Weights {
    /// The weights of the file with that index in the card of `model`, read unless they are in memory.
    ///
    /// # Errors
    /// [`EngineError::Model`] if the file cannot be read, has another hash or does not fit; [`EngineError::Load`];
    /// [`EngineError::OutOfMemory`].
    pub(crate) fn shared(model: &Model, index: usize) -> Result<Arc<Weights>, EngineError> {
        let file = &model.card().weights[index];
        let entry = Arc::clone(lock(&SHARED).entry(file.sha256).or_default());
        let mut entry = lock(&entry);
        if let Some(weights) = entry.upgrade() {
            return Ok(weights);
        }
        let opened = model.weights(index)?;
        let weights = Arc::new(Weights::read(opened, model.card().name.as_str(), &file.file)?);
        *entry = Arc::downgrade(&weights);
        Ok(weights)
    }

    fn read(source: impl Read + Seek, model: &str, file: &str) -> Result<Weights, EngineError> {
        let mut tensors = Vec::new();
        let mut shapes = Shapes::new();
        let mut refused = None;
        let format = checkpoint::read(source, &mut |NamedTensor { name, shape, values }| {
            let tensor = Tensor::from_array((shape.clone(), values)).map_err(|error| {
                let reason = format!("tensor {name}: {error}");
                refused.insert(reason).clone()
            })?;
            shapes.insert(name.clone(), shape);
            tensors.push((name, Arc::new(tensor.into_dyn())));
            Ok(())
        });
        match (format, refused) {
            (_, Some(reason)) => Err(EngineError::of_load(model, reason)),
            (Err(reason), None) => Err(EngineError::of_unfit(model, format!("{file}: {reason}"))),
            (Ok(format), None) => {
                let has_training_tensors = format.has_training_tensors();
                Ok(Weights { tensors, shapes, has_training_tensors })
            }
        }
    }

    /// Checks that the tensors are those that a graph requires.
    ///
    /// # Errors
    /// The first difference by name, in words.
    pub(crate) fn check(&self, graph: &Graph) -> Result<(), String> {
        checkpoint::check(graph, &self.shapes, self.has_training_tensors)
    }

    /// Adds the tensors that `graph` requires to the builder of its session. They are shared, not copied.
    ///
    /// # Errors
    /// The fault, in words.
    pub(crate) fn add_to(
        &self,
        mut builder: SessionBuilder,
        graph: &[u8],
    ) -> Result<SessionBuilder, String> {
        let required = Graph::parse(graph)?.open_initialisers();
        for (name, value) in self.tensors.iter().filter(|(name, _)| required.contains_key(name)) {
            builder = builder
                .with_external_initializer(name, Arc::clone(value))
                .map_err(|error| format!("tensor {name}: {error}"))?;
        }
        Ok(builder)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
