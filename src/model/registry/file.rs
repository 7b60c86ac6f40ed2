//! Files in the models folder: hashing, and publication by renaming.

use std::path::Path;

use super::RegistryError;
use crate::files;
use crate::model::Sha256Hash;

/// Renames a verified file or folder to its final name.
pub(super) fn publish(partial: &Path, path: &Path) -> Result<(), RegistryError> {
    files::publish(partial, path).map_err(RegistryError::io(path))
}

/// Computes the hash of a file.
pub(super) fn hash_of(path: &Path) -> Result<Sha256Hash, RegistryError> {
    Sha256Hash::of_file(path).map_err(RegistryError::io(path))
}
