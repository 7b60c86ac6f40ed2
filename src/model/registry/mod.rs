//! The model registry: published models ([`catalogue`]), downloaded ([`pull`], [`download`]), imported from the user's
//! files ([`import`], [`unverified`], [`checkpoint`]), verified and removed.
//!
//! The models folder has a folder for each model. The folder of a published model holds its authors' files and
//! nothing else, so that they can be verified against the published hashes; one that was imported unverified has a
//! card and a graph of its own. A file is written under a name that ends in `.part` and is renamed when it has been
//! verified, so that a partial file is never taken for a model.

mod catalogue;
mod checkpoint;
mod download;
mod error;
pub mod import;
pub mod pull;
mod spleeter;
mod unverified;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

pub use catalogue::PublishedModel;
pub use error::RegistryError;

use super::{Catalog, Model, Sha256Hash};
use crate::files;

/// Gives a verified file or folder its own name.
fn publish(part: &Path, path: &Path) -> Result<(), RegistryError> {
    files::publish(part, path).map_err(RegistryError::io(path))
}

fn hash_of(path: &Path) -> Result<Sha256Hash, RegistryError> {
    let found = File::open(path).and_then(Sha256Hash::of_reader);
    found.map_err(RegistryError::io(path))
}

/// Checks that the files of an installed model are those that its card names.
///
/// # Errors
/// [`RegistryError::Hash`] for the first that is not; `Io`.
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

/// Removes a model's folder, unfinished downloads included.
///
/// # Errors
/// [`RegistryError::NotInstalled`], [`RegistryError::Embedded`], `Io`.
pub fn remove(name: &str, catalog: &Catalog, models: &Path) -> Result<PathBuf, RegistryError> {
    let installed = catalog.find(name).ok();
    let folder = match installed.as_ref().map(|model| model.folder()) {
        Some(Some(folder)) => folder.to_owned(),
        Some(None) => return Err(RegistryError::Embedded { name: name.to_owned() }),
        // The rest of a download, or what has a broken card. A name is never a path.
        None => match name.parse::<super::ModelName>() {
            Ok(name) if models.join(name.as_str()).is_dir() => models.join(name.as_str()),
            _ => return Err(RegistryError::NotInstalled { name: name.to_owned() }),
        },
    };
    fs::remove_dir_all(&folder).map_err(RegistryError::io(&folder))?;
    Ok(folder)
}
