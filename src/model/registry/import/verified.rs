//! Imports the files of a published model.

use std::fs;
use std::path::{Path, PathBuf};

use super::given::{GivenFiles, copy};
use crate::files::part_path;
use crate::model::registry::file::publish;
use crate::model::registry::pull::DownloadStep;
use crate::model::registry::{PublishedModel, RegistryError};

/// Copies the files of `published` into its folder, each under its published name.
pub(super) fn import(
    published: &PublishedModel,
    mut given: GivenFiles,
    folder: &Path,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<(), RegistryError> {
    let find = |weights| given.find(weights, &published.card.name, progress);
    let files: Vec<PathBuf> = published.card.weights.iter().map(find).collect::<Result<_, _>>()?;
    fs::create_dir_all(folder).map_err(RegistryError::io(folder))?;
    for (from, weights) in files.iter().zip(&published.card.weights) {
        let path = folder.join(&weights.file);
        let partial = part_path(&path);
        // The copy is verified again: the source may have changed since it was found.
        let found = copy(from, &partial)?;
        if found != weights.sha256 {
            fs::remove_file(&partial).map_err(RegistryError::io(&partial))?;
            return Err(RegistryError::Hash {
                place: from.display().to_string(),
                file: weights.file.clone(),
                expected: weights.sha256,
                found,
            });
        }
        publish(&partial, &path)?;
    }
    Ok(())
}
