//! The models of `--fetch-models`: from the object store, unless they are installed.

use std::path::Path;

use super::args::Compute;
use super::config::ServeConfig;
use super::model_to_fetch::ModelToFetch;
use crate::cli::error::CliError;
use crate::cli::output::with_progress;
use crate::cli::setup;
use crate::cluster::{StoreLocation, StoredModels};
use crate::model::registry::stored::ModelToInstall;
use crate::model::registry::{PublishedModel, RegistryError};
use crate::model::{AvailableModels, ModelCard};
use crate::proto::reason::Category;

/// The models on this machine, and those of `--fetch-models`, whose files are fetched where this server computes.
pub(super) fn available_models(config: &ServeConfig) -> Result<AvailableModels, CliError> {
    let models_dir = config.engine.models_dir.as_deref();
    let (Some(location), false) = (&config.store, config.fetch_models.is_empty()) else {
        return Ok(setup::available_models(models_dir));
    };
    let store = setup::open_store(location)?;
    let stored = StoredModels::new(&store, location.to_string());
    let folder = setup::models_folder(models_dir)?;
    let wanted = config.fetch_models.iter().map(|model| find(model, &stored, location));
    let wanted: Vec<ModelToInstall> = wanted.collect::<Result<_, _>>()?;
    match config.compute {
        Compute::Here => {
            for model in &wanted {
                with_progress(|progress| model.install(&folder, &stored, progress))?;
            }
            Ok(setup::available_models(Some(&folder)))
        }
        Compute::Workers => beside(setup::available_models(models_dir), &wanted, &folder),
    }
}

/// Adds models whose files only workers need.
fn beside(
    available: AvailableModels,
    wanted: &[ModelToInstall],
    folder: &Path,
) -> Result<AvailableModels, CliError> {
    let mut others = Vec::new();
    for model in wanted {
        match available.find(model.name().as_str()) {
            Ok(found) if model.is(&found) => {}
            Ok(_) => {
                let name = model.name().to_string();
                let folder = folder.join(&name);
                return Err(RegistryError::Exists { name, folder }.into());
            }
            Err(_) => others.push(model.model(folder)),
        }
    }
    Ok(available.with_others(others))
}

/// The model, with the hashes of its files.
fn find(
    wanted: &ModelToFetch,
    stored: &StoredModels<'_>,
    location: &StoreLocation,
) -> Result<ModelToInstall, CliError> {
    let ModelToFetch { name, card } = wanted;
    let Some(hash) = *card else {
        let published = PublishedModel::find(name.as_str()).map_err(|error| {
            let (cause, remedy) = match AvailableModels::open(None).find(name.as_str()) {
                Ok(_) => (
                    RegistryError::Embedded { name: name.to_string() },
                    "Leave it out: gateways and workers have it already, in their program.",
                ),
                Err(_) => (
                    error,
                    "Name one of these, or NAME=SHA256 as `stemwire models push` prints it.",
                ),
            };
            CliError::new(Category::Usage, cause.to_string(), remedy)
        })?;
        return Ok(ModelToInstall::Published(Box::new(published)));
    };
    let card = stored.small(hash).map_err(|error| setup::store_error(&error))?;
    let not_there = || {
        let cause =
            format!("the card {hash} of model {name} is not in {location}, or damaged there");
        let remedy = format!(
            "Run `stemwire models push {name} --store {location}` where the model is installed."
        );
        CliError::new(Category::Usage, cause, remedy)
    };
    let text = card.and_then(|card| String::from_utf8(card).ok()).ok_or_else(not_there)?;
    let card = ModelCard::parse(&text, &format!("{hash} of {location}"))?;
    if card.name != *name {
        let cause = format!("the card {hash} is that of model {}, not {name}", card.name);
        let remedy = "Name the model as `stemwire models push` prints it.";
        return Err(CliError::new(Category::Usage, cause, remedy));
    }
    Ok(ModelToInstall::Own(Box::new(card)))
}
