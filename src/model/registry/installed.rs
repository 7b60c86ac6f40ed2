//! Installed models: verification and removal.

use std::fs;
use std::path::{Path, PathBuf};

use super::RegistryError;
use super::file::hash_of;
use crate::model::{Model, ModelName};

/// Checks that the files of a model have the hashes in its card. A model that is part of the binary has no files.
///
/// # Errors
/// [`RegistryError::Damaged`] for the first that does not; `Io`.
pub fn verify(model: &Model) -> Result<(), RegistryError> {
    let Some(folder) = model.folder() else { return Ok(()) };
    for (file, expected) in model.files() {
        let path = folder.join(file);
        let found = hash_of(&path)?;
        if found != expected {
            let (place, file) = (path.display().to_string(), file.to_owned());
            return Err(RegistryError::Damaged { place, file, expected, found });
        }
    }
    Ok(())
}

/// Removes the folder of the model called `name`, with unfinished downloads. `model` is the model of that name, if there is
/// one. Returns the folder.
///
/// # Errors
/// [`RegistryError::NotInstalled`], [`RegistryError::Embedded`], `Io`.
pub fn remove(name: &str, model: Option<&Model>, models: &Path) -> Result<PathBuf, RegistryError> {
    let folder = match model.map(Model::folder) {
        Some(Some(folder)) => folder.to_owned(),
        Some(None) => return Err(RegistryError::Embedded { name: name.to_owned() }),
        // An unfinished download, or a folder with a broken card. A valid name is never a path.
        None => match name.parse::<ModelName>() {
            Ok(name) if models.join(name.as_str()).is_dir() => models.join(name.as_str()),
            _ => return Err(RegistryError::NotInstalled { name: name.to_owned() }),
        },
    };
    fs::remove_dir_all(&folder).map_err(RegistryError::io(&folder))?;
    Ok(folder)
}
