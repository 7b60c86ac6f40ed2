//! A model: its card and where its files are.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::card::Family;
use super::onnx;
use super::{ModelCard, Sha256Hash};
use crate::audio::StemName;
use crate::engine::inference::bag::Bag;
use crate::engine::inference::htdemucs::Demucs;
use crate::engine::inference::spleeter::Spleeter;
use crate::engine::inference::weights::Weights;
use crate::engine::{
    Engine, EngineError, EngineIdentity, Execution, ExecutionConfig, ProviderSelection,
};

/// The name of the card in a model's folder.
pub const CARD_FILE: &str = "card.toml";

/// A model that can be loaded.
pub struct Model {
    card: ModelCard,
    files: ModelFiles,
    /// For each of the card's files of weights: shared by the workers' engines, gone with the last of
    /// them.
    weights: Vec<Mutex<Weak<Weights>>>,
}

/// Where a model's files are.
enum ModelFiles {
    Embedded {
        graph: &'static [u8],
        weights: &'static [u8],
    },
    /// The weights as their authors publish them, for a graph of the binary.
    Published {
        graph: &'static [u8],
        folder: PathBuf,
    },
    Folder(PathBuf),
}

impl Model {
    /// A model that is part of the binary.
    ///
    /// # Errors
    /// [`EngineError::Card`].
    pub fn embedded(
        card: &str,
        graph: &'static [u8],
        weights: &'static [u8],
    ) -> Result<Model, EngineError> {
        let card = ModelCard::parse(card, "(embedded)")?;
        Ok(Model::new(card, ModelFiles::Embedded { graph, weights }))
    }

    /// A model whose card and graph are part of the binary and whose weights are in `folder`.
    pub fn published(card: ModelCard, graph: &'static [u8], folder: &Path) -> Model {
        Model::new(card, ModelFiles::Published { graph, folder: folder.to_owned() })
    }

    /// A model in a folder of its own: a card, and the files that it names.
    ///
    /// # Errors
    /// [`EngineError::Card`]; the files themselves are looked at when the model is loaded.
    pub fn in_folder(folder: &Path) -> Result<Model, EngineError> {
        let path = folder.join(CARD_FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| EngineError::Card {
            card: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let card = ModelCard::parse(&text, &path.display().to_string())?;
        Ok(Model::new(card, ModelFiles::Folder(folder.to_owned())))
    }

    fn new(card: ModelCard, files: ModelFiles) -> Model {
        let weights = card.weights.iter().map(|_| Mutex::default()).collect();
        Model { card, files, weights }
    }

    /// What the model is.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Whether it is part of the binary.
    pub fn is_embedded(&self) -> bool {
        matches!(self.files, ModelFiles::Embedded { .. })
    }

    /// Whether its weights are known to be their makers' own: part of the binary, or as published. A
    /// model with a card of its own in the models folder is what whoever put it there says it is.
    pub fn is_verified(&self) -> bool {
        match self.files {
            ModelFiles::Embedded { .. } | ModelFiles::Published { .. } => true,
            ModelFiles::Folder(_) => false,
        }
    }

    /// The folder of its files, unless all of it is part of the binary.
    pub fn folder(&self) -> Option<&Path> {
        match &self.files {
            ModelFiles::Embedded { .. } => None,
            ModelFiles::Published { folder, .. } | ModelFiles::Folder(folder) => Some(folder),
        }
    }

    /// The names and hashes of the files in its folder.
    pub fn files(&self) -> Vec<(&str, Sha256Hash)> {
        let weights = self.card.weights.iter().map(|weights| (&*weights.file, weights.sha256));
        match self.files {
            ModelFiles::Embedded { .. } => Vec::new(),
            ModelFiles::Published { .. } => weights.collect(),
            ModelFiles::Folder(_) => {
                weights.chain([(&*self.card.graph.file, self.card.graph.sha256)]).collect()
            }
        }
    }

    /// Bytes of its files of weights, and of its graph where that is not part of the binary.
    pub fn stored_bytes(&self) -> u64 {
        match &self.files {
            ModelFiles::Embedded { weights, .. } => weights.len() as u64,
            ModelFiles::Published { folder, .. } | ModelFiles::Folder(folder) => {
                let bytes = |(file, _)| folder.join(file).metadata().map_or(0, |data| data.len());
                self.files().into_iter().map(bytes).sum()
            }
        }
    }

    /// Whether some of its weights are in memory now.
    pub fn is_loaded(&self) -> bool {
        let lock = |weights: &Mutex<Weak<_>>| {
            weights.lock().unwrap_or_else(PoisonError::into_inner).strong_count()
        };
        self.weights.iter().any(|weights| lock(weights) > 0)
    }

    /// What its numbers depend on when they are computed with this and with `threads` threads.
    pub fn identity(&self, providers: &ProviderSelection, threads: usize) -> EngineIdentity {
        let Execution { provider, precision } = providers.for_model(self).execution;
        EngineIdentity {
            model: self.card.name.clone(),
            weights: self.card.weights_hash(),
            verified: self.is_verified(),
            provider,
            runtime: providers.runtime().name().to_owned(),
            threads,
            precision,
        }
    }

    /// Loads the model into memory, ready to compute. A bag loads its specialists
    /// when they are wanted.
    ///
    /// # Errors
    /// [`EngineError::File`], [`EngineError::Hash`], [`EngineError::Load`].
    pub fn load(
        self: &Arc<Model>,
        compute: &ExecutionConfig,
    ) -> Result<Box<dyn Engine>, EngineError> {
        match (self.card.family, self.card.weights.len()) {
            (Family::Htdemucs | Family::Onnx, 0) => {
                let graph = self.graph()?;
                Ok(Box::new(Demucs::load(&self.card, &graph, None, compute)?))
            }
            (Family::Htdemucs | Family::Onnx, 1) => Ok(Box::new(self.load_demucs(0, compute)?)),
            (Family::Htdemucs | Family::Onnx, _) => {
                Ok(Box::new(Bag::new(Arc::clone(self), compute.clone())))
            }
            (Family::Spleeter, _) => {
                let (graph, weights) = self.graph_and_weights(0)?;
                Ok(Box::new(Spleeter::load(&self.card, &graph, weights, compute)?))
            }
        }
    }

    /// Loads the specialist for one of a bag's stems.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub(crate) fn load_specialist(
        &self,
        stem: &StemName,
        compute: &ExecutionConfig,
    ) -> Result<Demucs, EngineError> {
        let index = self.card.specialist(stem).ok_or_else(|| EngineError::Load {
            model: self.card.name.to_string(),
            reason: format!("there is no specialist for {stem}"),
        })?;
        self.load_demucs(index, compute)
    }

    fn load_demucs(&self, index: usize, compute: &ExecutionConfig) -> Result<Demucs, EngineError> {
        let (graph, weights) = self.graph_and_weights(index)?;
        Demucs::load(&self.card, &graph, Some(weights), compute)
    }

    /// The graph and the weights of the card's file of that index, which fit each other.
    fn graph_and_weights(
        &self,
        index: usize,
    ) -> Result<(Cow<'static, [u8]>, Arc<Weights>), EngineError> {
        let graph = self.graph()?;
        let weights = self.shared_weights(index)?;
        if let Err(reason) = onnx::Graph::parse(&graph).and_then(|graph| weights.check(&graph)) {
            let reason = format!("{}: {reason}", self.card.weights[index].file);
            return Err(EngineError::Load { model: self.card.name.to_string(), reason });
        }
        Ok((graph, weights))
    }

    /// The weights of the card's file of that index.
    fn shared_weights(&self, index: usize) -> Result<Arc<Weights>, EngineError> {
        let mut shared = self.weights[index].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(weights) = shared.upgrade() {
            return Ok(weights);
        }
        let file = &self.card.weights[index];
        let bytes = self.verified(&file.file, file.sha256)?;
        let weights = Arc::new(Weights::parse(&bytes, self.card.name.as_str(), &file.file)?);
        *shared = Arc::downgrade(&weights);
        Ok(weights)
    }

    /// The graph that the card names.
    fn graph(&self) -> Result<Cow<'static, [u8]>, EngineError> {
        self.verified(&self.card.graph.file, self.card.graph.sha256)
    }

    /// The bytes of a file of the model, which are those that the card names.
    fn verified(
        &self,
        file: &str,
        expected: Sha256Hash,
    ) -> Result<Cow<'static, [u8]>, EngineError> {
        let model = || self.card.name.to_string();
        let is_graph = file == self.card.graph.file;
        let (bytes, path) = match &self.files {
            ModelFiles::Embedded { graph, .. } | ModelFiles::Published { graph, .. }
                if is_graph =>
            {
                (Cow::Borrowed(*graph), file.to_owned())
            }
            ModelFiles::Embedded { weights, .. } => (Cow::Borrowed(*weights), file.to_owned()),
            ModelFiles::Published { folder, .. } | ModelFiles::Folder(folder) => {
                let path = folder.join(file);
                let bytes = std::fs::read(&path).map_err(|error| EngineError::File {
                    model: model(),
                    path: path.display().to_string(),
                    reason: error.to_string(),
                })?;
                (Cow::Owned(bytes), path.display().to_string())
            }
        };
        let found = Sha256Hash::of(&bytes);
        if found != expected {
            return Err(EngineError::Hash { model: model(), path, expected, found });
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({})", self.card.name)
    }
}
