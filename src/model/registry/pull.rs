//! Downloads published models.

use std::fs;
use std::path::Path;

use super::download::fetch;
use super::fetched::{FileToInstall, fetch_verified};
use super::{PublishedModel, RegistryError};
use crate::model::card::WeightsFile;
use crate::model::files::CARD_FILE;

pub use super::fetched::DownloadStep;

/// Downloads the missing files of a published model into its folder in `models`. Complete files are kept. `mirror` replaces
/// the authors' server.
///
/// # Errors
/// [`RegistryError::Exists`] if a model with a card of its own has the name; `ImportOnly`, `Network`, `Status`, `Hash`, `Busy`, `Io`.
pub fn pull(
    published: &PublishedModel,
    mirror: Option<&str>,
    models: &Path,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<(), RegistryError> {
    let folder = published.folder(models);
    if folder.join(CARD_FILE).exists() {
        return Err(RegistryError::Exists { name: published.card.name.to_string(), folder });
    }
    let named = |weights| published.address_of(weights, mirror).map(|address| (weights, address));
    let files: Option<Vec<_>> = published.card.weights.iter().map(named).collect();
    let files = files.ok_or_else(|| RegistryError::ImportOnly {
        name: published.card.name.to_string(),
        licence: published.card.licence.clone(),
        files: published.card.weights.iter().map(|weights| weights.file.clone()).collect(),
    })?;
    fs::create_dir_all(&folder).map_err(RegistryError::io(&folder))?;
    for (weights, address) in files {
        pull_file(&folder, weights, &address, published.file_bytes, progress)?;
    }
    Ok(())
}

fn pull_file(
    folder: &Path,
    weights: &WeightsFile,
    address: &str,
    expected: u64,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<(), RegistryError> {
    let (file, sha256) = (weights.file.as_str(), weights.sha256);
    let wrong = |found| RegistryError::Hash {
        place: address.to_owned(),
        file: file.to_owned(),
        expected: sha256,
        found,
    };
    fetch_verified(
        FileToInstall { folder, file, sha256 },
        &mut |partial, progress| fetch(address, partial, expected, progress),
        &wrong,
        progress,
    )
}
