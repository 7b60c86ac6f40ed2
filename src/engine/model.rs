//! A model: its card and where its files are.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::card::{Family, FileReference};
use super::demucs::Demucs;
use super::weights::Weights;
use super::{Engine, EngineError, Identity, ModelCard, Runtime, Sha256Hash};

/// The name of the card in a model's folder.
pub const CARD_FILE: &str = "card.toml";

/// A model that can be loaded.
pub struct Model {
    card: ModelCard,
    files: Files,
    /// Shared by the workers' engines, gone with the last of them.
    weights: Mutex<Weak<Weights>>,
}

/// Where a model's files are.
enum Files {
    Embedded { graph: &'static [u8], weights: &'static [u8] },
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
        Ok(Model { card, files: Files::Embedded { graph, weights }, weights: Mutex::default() })
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
        Ok(Model { card, files: Files::Folder(folder.to_owned()), weights: Mutex::default() })
    }

    /// What the model is.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Whether it is part of the binary.
    pub fn is_embedded(&self) -> bool {
        matches!(self.files, Files::Embedded { .. })
    }

    /// Whether its weights are in memory now.
    pub fn is_loaded(&self) -> bool {
        self.weights.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
    }

    /// What its numbers depend on when `runtime` computes them with `threads` threads.
    pub fn identity(&self, runtime: &Runtime, threads: usize) -> Identity {
        Identity {
            model: self.card.name.clone(),
            weights: self.card.weights.sha256,
            provider: "cpu".to_owned(),
            runtime: runtime.name().to_owned(),
            threads,
            precision: "f32".to_owned(),
        }
    }

    /// Loads the model into memory, ready to compute with `threads` threads.
    ///
    /// # Errors
    /// [`EngineError::File`], [`EngineError::Hash`], [`EngineError::Load`].
    pub fn load(&self, runtime: &Runtime, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        let graph = self.verified(&self.card.graph)?;
        let weights = self.shared_weights()?;
        match self.card.family {
            Family::Htdemucs => {
                Ok(Box::new(Demucs::load(&self.card, &graph, weights, runtime, threads)?))
            }
        }
    }

    fn shared_weights(&self) -> Result<Arc<Weights>, EngineError> {
        let mut shared = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(weights) = shared.upgrade() {
            return Ok(weights);
        }
        let bytes = self.verified(&self.card.weights)?;
        let weights = Arc::new(Weights::parse(&bytes, &self.card)?);
        *shared = Arc::downgrade(&weights);
        Ok(weights)
    }

    /// The bytes of a file of the model, which are those that the card names.
    fn verified(&self, reference: &FileReference) -> Result<Cow<'static, [u8]>, EngineError> {
        let model = || self.card.name.to_string();
        let (bytes, path) = match &self.files {
            Files::Embedded { graph, weights } => {
                let bytes = if *reference == self.card.graph { graph } else { weights };
                (Cow::Borrowed(*bytes), reference.file.clone())
            }
            Files::Folder(folder) => {
                let path = folder.join(&reference.file);
                let bytes = std::fs::read(&path).map_err(|error| EngineError::File {
                    model: model(),
                    path: path.display().to_string(),
                    reason: error.to_string(),
                })?;
                (Cow::Owned(bytes), path.display().to_string())
            }
        };
        let found = Sha256Hash::of(&bytes);
        if found != reference.sha256 {
            let expected = reference.sha256;
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
