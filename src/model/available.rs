//! The models on this machine: those of the binary and those in the models folder.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::embedded;
use super::ensemble_spec::{BadEnsemble, EnsembleSpec};
use super::files::{CARD_FILE, Ensemble, Model};
use super::registry::PublishedModel;
use super::{ModelError, ModelName};

/// Models by name, and the cards that are not valid.
#[derive(Debug, Default)]
pub struct AvailableModels {
    models: Vec<Arc<Model>>,
    faults: Vec<ModelError>,
    /// Most models of an ensemble; `None` without a limit.
    most_members: Option<usize>,
    /// The ensembles that were found last, the latest last: an engine is loaded once for the same model.
    ensembles: Mutex<Vec<Arc<Model>>>,
}

/// Ensembles that are remembered.
const MAX_ENSEMBLES: usize = 16;

impl AvailableModels {
    /// Name of the default model, which is part of the binary.
    pub const DEFAULT_MODEL: &'static str = "mini";

    /// Opens the embedded models, then those of `folder`: published ones with all of their files, and every subfolder with
    /// a card. A model with a card of its own replaces another of the same name.
    pub fn open(folder: Option<&Path>) -> AvailableModels {
        let mut available = AvailableModels::default();
        available.add(Model::embedded(
            embedded::mini::CARD,
            embedded::mini::GRAPH,
            embedded::mini::WEIGHTS,
        ));
        available.add(Model::embedded(
            embedded::mini_spleeter::CARD,
            embedded::mini_spleeter::GRAPH,
            embedded::mini_spleeter::WEIGHTS,
        ));
        if let Some(folder) = folder {
            for model in PublishedModel::all().filter_map(|published| published.installed(folder)) {
                available.add(Ok(model));
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
                available.add(Model::in_folder(&subfolder));
            }
        }
        available
    }

    /// The same models, of which an ensemble may have at most so many: all of them are in memory at once.
    #[must_use]
    pub fn with_most_members(self, most: usize) -> AvailableModels {
        AvailableModels { most_members: Some(most), ..self }
    }

    /// The same models and others, of other names.
    #[must_use]
    pub fn with_others(mut self, others: Vec<Model>) -> AvailableModels {
        others.into_iter().for_each(|model| self.add(Ok(model)));
        self
    }

    /// All models.
    pub fn all(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// Errors of the cards that are not valid.
    pub fn faults(&self) -> &[ModelError] {
        &self.faults
    }

    /// Finds the model of that name, or the ensemble of that text.
    ///
    /// # Errors
    /// [`ModelError::NotInstalled`] for a published model; [`ModelError::Card`] if the card in the folder of that name is
    /// not valid; [`ModelError::Unknown`] with the known names; [`ModelError::Ensemble`].
    pub fn find(&self, name: &str) -> Result<Arc<Model>, ModelError> {
        if EnsembleSpec::is_one(name) {
            return self.ensemble(name);
        }
        let found = self.models.iter().find(|model| model.card().name.as_str() == name);
        found.cloned().ok_or_else(|| {
            let is_in_folder = |fault: &&ModelError| match fault {
                ModelError::Card { card, .. } => {
                    Path::new(card).parent().and_then(Path::file_name) == Some(name.as_ref())
                }
                _ => false,
            };
            if let Some(fault) = self.faults.iter().find(is_in_folder) {
                return fault.clone();
            }
            if let Ok(published) = PublishedModel::find(name) {
                let install = published.install_command();
                return ModelError::NotInstalled { model: name.to_owned(), install };
            }
            let names: Vec<&str> = self.models.iter().map(|m| m.card().name.as_str()).collect();
            ModelError::Unknown { name: name.chars().take(80).collect(), known: names.join(", ") }
        })
    }

    fn ensemble(&self, text: &str) -> Result<Arc<Model>, ModelError> {
        let spec: EnsembleSpec = text.parse().map_err(|error: BadEnsemble| {
            let ensemble = text.chars().take(80).collect();
            ModelError::Ensemble { ensemble, reason: error.to_string() }
        })?;
        let name = spec.to_string();
        let members = spec.models().len();
        if let Some(most) = self.most_members.filter(|&most| members > most) {
            let reason = format!("{members} models exceed the limit of {most}");
            return Err(ModelError::Ensemble { ensemble: name, reason });
        }
        let mut ensembles = self.ensembles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ensembles.iter().position(|model| model.card().name.as_str() == name);
        let model = match known {
            Some(index) => ensembles.remove(index),
            None => Arc::new(Ensemble::model(&spec, |member| self.find(member))?),
        };
        ensembles.push(Arc::clone(&model));
        let surplus = ensembles.len().saturating_sub(MAX_ENSEMBLES);
        ensembles.drain(..surplus);
        Ok(model)
    }

    fn add(&mut self, model: Result<Model, ModelError>) {
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

/// Whether it is a hidden folder, such as a scratch folder.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_is_in_the_binary() {
        let available = AvailableModels::open(None);
        assert!(available.faults().is_empty(), "{:?}", available.faults());
        assert!(available.find(AvailableModels::DEFAULT_MODEL).unwrap().is_embedded());
        let error = available.find("htdemucs_v9").unwrap_err().to_string();
        assert!(error.contains("htdemucs_v9") && error.contains("mini"), "{error}");
        let remedy = |name| available.find(name).unwrap_err().remedy();
        assert!(remedy("scnet").contains("`stemwire models pull scnet`"));
        assert!(remedy("scnet-xl-ihf").contains("`stemwire models import scnet-xl-ihf FILE`"));
    }

    #[test]
    fn an_ensemble_has_at_most_as_many_models_as_are_allowed() {
        let two = "vocals=mini,drums=htdemucs";
        let refused = |available: AvailableModels| available.find(two).unwrap_err();
        let error = refused(AvailableModels::open(None).with_most_members(1)).to_string();
        assert!(error.contains("2 models exceed the limit of 1"), "{error}");
        for available in
            [AvailableModels::open(None), AvailableModels::open(None).with_most_members(2)]
        {
            assert!(matches!(refused(available), ModelError::NotInstalled { .. }));
        }
    }

    #[test]
    fn a_broken_card_is_reported_and_hides_no_other_model() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("broken")).unwrap();
        std::fs::write(folder.path().join("broken/card.toml"), "name = 1").unwrap();
        let available = AvailableModels::open(Some(folder.path()));
        assert_eq!((available.all().len(), available.faults().len()), (2, 1));
        assert!(available.faults()[0].to_string().contains("broken"));
        assert!(matches!(available.find("broken"), Err(ModelError::Card { .. })));
    }
}
