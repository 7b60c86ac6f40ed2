//! A published model, downloaded.

use std::fs;
use std::path::Path;

use super::{PublishedModel, RegistryError, hash_of, publish};
use crate::files::part_path;
use crate::model::card::WeightsFile;
use crate::model::files::CARD_FILE;
use crate::model::registry::download::fetch;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadStep<'a> {
    /// A file is fetched.
    Fetching {
        /// Its name.
        file: &'a str,
        /// Bytes that are here.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A file's hash is computed.
    Verifying {
        /// Its name.
        file: &'a str,
    },
}

/// Downloads what is not there of a published model into its folder in `models`; files that are there
/// and whole stay as they are. `mirror` stands for the authors' server where one is named.
///
/// # Errors
/// [`RegistryError::Exists`] where a model with a card of its own has the name, `Network`, `Status`,
/// `Hash`, `Busy`, `Io`.
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
    fs::create_dir_all(&folder).map_err(RegistryError::io(&folder))?;
    for weights in &published.card.weights {
        let address = published.address_of(weights, mirror);
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
    let part = part_path(&path);
    let mut resumed = part.metadata().is_ok_and(|data| data.len() > 0);
    loop {
        fetch(address, &part, expected, &mut |bytes, total| {
            progress(DownloadStep::Fetching { file, bytes, total });
        })?;
        progress(DownloadStep::Verifying { file });
        let found = hash_of(&part)?;
        if found == weights.sha256 {
            return publish(&part, &path);
        }
        fs::remove_file(&part).map_err(RegistryError::io(&part))?;
        // The beginning may have been another server's, or have been damaged since.
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
