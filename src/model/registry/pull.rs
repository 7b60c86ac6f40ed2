//! Downloads published models.

use std::fs;
use std::path::Path;

use super::download::fetch;
use super::file::{hash_of, publish};
use super::{PublishedModel, RegistryError};
use crate::files::part_path;
use crate::model::card::WeightsFile;
use crate::model::files::CARD_FILE;

/// Progress of a download or an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadStep<'a> {
    /// A file is being downloaded.
    Fetching {
        /// Its name.
        file: &'a str,
        /// Bytes received so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The hash of a file is being computed.
    Verifying {
        /// Its name.
        file: &'a str,
    },
}

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
    let file = weights.file.as_str();
    let path = folder.join(file);
    if path.is_file() {
        progress(DownloadStep::Verifying { file });
        if hash_of(&path)? == weights.sha256 {
            return Ok(());
        }
    }
    let partial = part_path(&path);
    let mut resumed = partial.metadata().is_ok_and(|data| data.len() > 0);
    loop {
        fetch(address, &partial, expected, &mut |bytes, total| {
            progress(DownloadStep::Fetching { file, bytes, total });
        })?;
        progress(DownloadStep::Verifying { file });
        let found = hash_of(&partial)?;
        if found == weights.sha256 {
            return publish(&partial, &path);
        }
        fs::remove_file(&partial).map_err(RegistryError::io(&partial))?;
        // After a resumed download the earlier part may be wrong, so one complete download is tried.
        if !std::mem::take(&mut resumed) {
            return Err(RegistryError::Hash {
                place: address.to_owned(),
                file: file.to_owned(),
                expected: weights.sha256,
                found,
            });
        }
    }
}
