//! Weights in memory, shared by all engines of a process.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use ort::session::builder::SessionBuilder;
use ort::value::{DynValue, Tensor};

use crate::engine::{EngineError, Provider};
use crate::model::card::WeightsFile;
use crate::model::checkpoint::{self, NamedTensor};
use crate::model::onnx::{self, Graph, PlacedTensor, Shapes};
use crate::model::{Model, Sha256Hash};

/// The weights of one file, as tensors of the runtime that fill the initialisers of a graph.
pub(crate) struct Weights {
    tensors: Vec<(String, Arc<DynValue>)>,
    mapped: Option<MappedTensors>,
    shapes: Shapes,
    has_training_tensors: bool,
}

/// Tensors that the runtime maps into memory from the file of weights. It keeps matrices in an order of its own and
/// releases the mapping, so that they are in memory once; of tensors that it is given, there would be a second copy.
struct MappedTensors {
    folder: PathBuf,
    file: String,
    tensors: BTreeMap<String, PlacedTensor>,
}

/// Least size of a tensor that is mapped. Smaller ones are not worth their pages.
const LEAST_MAPPED: u64 = 64 << 10;

/// The folder of external files of a graph that has no path itself (onnxruntime_session_options_config_keys.h).
const FOLDER_KEY: &str = "session.model_external_initializers_file_folder_path";

/// The weights in memory by the hash of their file, and whether some are mapped. An entry's lock is held while its file is
/// loaded, so that it is loaded once; the weights are freed with the last engine that uses them.
static SHARED: LazyLock<Mutex<HashMap<(Sha256Hash, bool), CachedWeights>>> =
    LazyLock::new(Mutex::default);

type CachedWeights = Arc<Mutex<Weak<Weights>>>;

/// Whether any file of weights of `model` is in memory.
pub fn is_loaded(model: &Model) -> bool {
    let shared = lock(&SHARED);
    let of = |file: &WeightsFile| [false, true].map(|mapped| shared.get(&(file.sha256, mapped)));
    let entries = model.card().weights.iter().flat_map(of).flatten();
    // An entry that is locked is being loaded.
    let mut counts =
        entries.map(|entry| entry.try_lock().map_or(0, |weights| weights.strong_count()));
    counts.any(|count| count > 0)
}

impl Weights {
    /// The weights of the file with that index in the card of `model` for an engine on `provider`, read unless they are in
    /// memory.
    ///
    /// # Errors
    /// [`EngineError::Model`] if the file cannot be read, has another hash or does not fit; [`EngineError::Load`];
    /// [`EngineError::OutOfMemory`].
    pub(crate) fn shared(
        model: &Model,
        index: usize,
        provider: Provider,
    ) -> Result<Arc<Weights>, EngineError> {
        let file = &model.card().weights[index];
        // Other providers copy what they need.
        let place = model.place_of_weights(index).filter(|_| provider == Provider::Cpu);
        let key = (file.sha256, place.is_some());
        let entry = Arc::clone(lock(&SHARED).entry(key).or_default());
        let mut entry = lock(&entry);
        if let Some(weights) = entry.upgrade() {
            return Ok(weights);
        }
        let mut opened = model.weights(index)?;
        let unfit = |reason| {
            EngineError::of_unfit(model.card().name.as_str(), format!("{}: {reason}", file.file))
        };
        let mapped = match place {
            None => None,
            Some((folder, name)) => {
                let tensors = checkpoint::placed(&mut opened, LEAST_MAPPED).map_err(unfit)?;
                opened.rewind().map_err(|error| unfit(error.to_string()))?;
                Some(MappedTensors { folder: folder.to_owned(), file: name.to_owned(), tensors })
            }
        };
        let mapped = mapped.filter(|mapped| !mapped.tensors.is_empty());
        let name = model.card().name.as_str();
        let weights = Arc::new(Weights::read(opened, mapped, name, &file.file)?);
        *entry = Arc::downgrade(&weights);
        Ok(weights)
    }

    fn read(
        source: impl Read + Seek,
        mapped: Option<MappedTensors>,
        model: &str,
        file: &str,
    ) -> Result<Weights, EngineError> {
        let mut tensors = Vec::new();
        let mut shapes = Shapes::new();
        let mut refused = None;
        let placed = || mapped.iter().flat_map(|mapped| &mapped.tensors);
        shapes.extend(placed().map(|(name, tensor)| (name.clone(), tensor.shape.clone())));
        let is_mapped =
            |name: &str| mapped.as_ref().is_some_and(|mapped| mapped.tensors.contains_key(name));
        let each = &mut |NamedTensor { name, shape, values }| {
            let tensor = Tensor::from_array((shape.clone(), values)).map_err(|error| {
                let reason = format!("tensor {name}: {error}");
                refused.insert(reason).clone()
            })?;
            shapes.insert(name.clone(), shape);
            tensors.push((name, Arc::new(tensor.into_dyn())));
            Ok(())
        };
        let format = checkpoint::read_except(source, &is_mapped, each);
        match (format, refused) {
            (_, Some(reason)) => Err(EngineError::of_load(model, reason)),
            (Err(reason), None) => Err(EngineError::of_unfit(model, format!("{file}: {reason}"))),
            (Ok(format), None) => {
                let has_training_tensors = format.has_training_tensors();
                Ok(Weights { tensors, mapped, shapes, has_training_tensors })
            }
        }
    }

    /// The number of parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.shapes.values().map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// Checks that the tensors are those that a graph requires.
    ///
    /// # Errors
    /// The first difference by name, in words.
    pub(crate) fn check(&self, graph: &Graph) -> Result<(), String> {
        checkpoint::check(graph, &self.shapes, self.has_training_tensors)
    }

    /// The graph with the places of the tensors that are mapped.
    ///
    /// # Errors
    /// The graph is not one, in words.
    pub(crate) fn place_in<'a>(&self, graph: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        match &self.mapped {
            None => Ok(Cow::Borrowed(graph)),
            Some(mapped) => onnx::with_placed(graph, &mapped.file, &mapped.tensors).map(Cow::Owned),
        }
    }

    /// Adds the other tensors that `graph` requires to the builder of its session. They are shared, not copied.
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
        if let Some(mapped) = &self.mapped {
            let folder = mapped.folder.to_str().ok_or("the path of its folder is not Unicode")?;
            builder = builder.with_config_entry(FOLDER_KEY, folder).map_err(|e| e.to_string())?;
        }
        Ok(builder)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
