//! The models that there are: those in the binary and those in the models folder.

use std::path::Path;
use std::sync::Arc;

use super::ModelName;
use crate::engine::EngineError;
use crate::model::files::{CARD_FILE, Model};
use crate::model::registry::PublishedModel;

/// The embedded models' files, as they lie in the repository's `models/`.
pub(crate) mod embedded {
    pub(crate) const MINI_CARD: &str = include_str!("../../models/mini/card.toml");
    pub(crate) const MINI_GRAPH: &[u8] = include_bytes!("../../models/mini/graph.onnx");
    pub(crate) const MINI_WEIGHTS: &[u8] = include_bytes!("../../models/mini/weights.safetensors");
    pub(crate) const MINI_SPLEETER_CARD: &str =
        include_str!("../../models/mini-spleeter/card.toml");
    pub(crate) const MINI_SPLEETER_GRAPH: &[u8] =
        include_bytes!("../../models/mini-spleeter/graph.onnx");
    pub(crate) const MINI_SPLEETER_WEIGHTS: &[u8] =
        include_bytes!("../../models/mini-spleeter/weights.safetensors");
}

/// Models by name, and what stood where a model should be but is none.
#[derive(Debug)]
pub struct Catalog {
    models: Vec<Arc<Model>>,
    faults: Vec<EngineError>,
}

impl Catalog {
    /// The name of the model that is part of the binary.
    pub const DEFAULT_MODEL: &'static str = "mini";

    /// The embedded models, then those of `folder`: published ones whose files are all there, and every
    /// subfolder with a card. A model with a card of its own takes the place of another of its name.
    pub fn open(folder: Option<&Path>) -> Catalog {
        let mut catalog = Catalog { models: Vec::new(), faults: Vec::new() };
        catalog.take(Model::embedded(
            embedded::MINI_CARD,
            embedded::MINI_GRAPH,
            embedded::MINI_WEIGHTS,
        ));
        catalog.take(Model::embedded(
            embedded::MINI_SPLEETER_CARD,
            embedded::MINI_SPLEETER_GRAPH,
            embedded::MINI_SPLEETER_WEIGHTS,
        ));
        if let Some(folder) = folder {
            for model in PublishedModel::all().filter_map(|published| published.installed(folder)) {
                catalog.take(Ok(model));
            }
            let mut subfolders: Vec<_> = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.join(CARD_FILE).is_file() && !is_hidden(path))
                .collect();
            subfolders.sort();
            for subfolder in subfolders {
                catalog.take(Model::in_folder(&subfolder));
            }
        }
        catalog
    }

    /// All models.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// Cards that are not valid.
    pub fn faults(&self) -> &[EngineError] {
        &self.faults
    }

    /// The model of that name.
    ///
    /// # Errors
    /// [`EngineError::NotInstalled`] for a published one; the card's own fault where the card in a folder
    /// of that name is broken; [`EngineError::UnknownModel`] with the names there are.
    pub fn find(&self, name: &str) -> Result<Arc<Model>, EngineError> {
        let found = self.models.iter().find(|model| model.card().name.as_str() == name);
        found.cloned().ok_or_else(|| {
            let is_in_folder = |fault: &&EngineError| match fault {
                EngineError::Card { card, .. } => {
                    Path::new(card).parent().and_then(Path::file_name) == Some(name.as_ref())
                }
                _ => false,
            };
            if let Some(fault) = self.faults.iter().find(is_in_folder) {
                return fault.clone();
            }
            if PublishedModel::find(name).is_ok() {
                return EngineError::NotInstalled { model: name.to_owned() };
            }
            let names: Vec<&str> = self.models.iter().map(|m| m.card().name.as_str()).collect();
            EngineError::UnknownModel {
                name: name.chars().take(80).collect(),
                known: names.join(", "),
            }
        })
    }

    fn take(&mut self, model: Result<Model, EngineError>) {
        match model {
            Ok(model) => {
                let name: ModelName = model.card().name.clone();
                self.models.retain(|other| other.card().name != name);
                self.models.push(Arc::new(model));
            }
            Err(fault) => self.faults.push(fault),
        }
    }
}

/// Whether it is somebody's scratch folder.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_is_in_the_binary() {
        let catalog = Catalog::open(None);
        assert!(catalog.faults().is_empty(), "{:?}", catalog.faults());
        assert!(catalog.find(Catalog::DEFAULT_MODEL).unwrap().is_embedded());
        let error = catalog.find("htdemucs_v9").unwrap_err().to_string();
        assert!(error.contains("htdemucs_v9") && error.contains("mini"), "{error}");
    }

    #[test]
    fn a_broken_card_is_told_and_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("broken")).unwrap();
        std::fs::write(folder.path().join("broken/card.toml"), "name = 1").unwrap();
        let catalog = Catalog::open(Some(folder.path()));
        assert_eq!((catalog.models().len(), catalog.faults().len()), (2, 1));
        assert!(catalog.faults()[0].to_string().contains("broken"));
        assert!(matches!(catalog.find("broken"), Err(EngineError::Card { .. })));
    }
}
