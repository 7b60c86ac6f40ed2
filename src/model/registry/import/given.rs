//! The files that the user gave.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::model::card::WeightsFile;
use crate::model::registry::RegistryError;
use crate::model::registry::file::hash_of;
use crate::model::registry::pull::DownloadStep;
use crate::model::{ModelName, Sha256Hash};

/// Files given for an import, with the hashes computed so far.
pub(super) struct GivenFiles {
    pub(super) files: Vec<PathBuf>,
    hashes: HashMap<PathBuf, Sha256Hash>,
}

impl GivenFiles {
    /// Lists the files; a folder stands for the files in it.
    pub(super) fn of(paths: &[PathBuf]) -> Result<GivenFiles, RegistryError> {
        let mut files = Vec::new();
        for path in paths {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let entries = fs::read_dir(path).map_err(RegistryError::io(path))?;
            let inside = entries.flatten().map(|entry| entry.path());
            let mut inside: Vec<_> = inside.filter(|path| path.is_file()).collect();
            inside.sort();
            files.append(&mut inside);
        }
        Ok(GivenFiles { files, hashes: HashMap::new() })
    }

    /// The first file of that name.
    pub(super) fn named(&self, file: &str) -> Option<&PathBuf> {
        self.files.iter().find(|path| path.file_name().is_some_and(|name| name == file))
    }

    /// Finds the file with the hash of `weights`, whatever its name: first among those of the same name, then among those of
    /// the same extension.
    pub(super) fn find(
        &mut self,
        weights: &WeightsFile,
        model: &ModelName,
        progress: &mut dyn FnMut(DownloadStep<'_>),
    ) -> Result<PathBuf, RegistryError> {
        let file = weights.file.as_str();
        let kind = Path::new(file).extension();
        let named = self.named(file).cloned();
        let others = self.files.iter().filter(|path| path.extension() == kind).cloned();
        let candidates: Vec<PathBuf> = named.iter().cloned().chain(others).collect();
        for path in &candidates {
            progress(DownloadStep::Verifying { file });
            if self.hash(path)? == weights.sha256 {
                return Ok(path.clone());
            }
        }
        match named.or(candidates.first().filter(|_| self.files.len() == 1).cloned()) {
            Some(path) => Err(RegistryError::Hash {
                found: self.hash(&path)?,
                place: path.display().to_string(),
                file: file.to_owned(),
                expected: weights.sha256,
            }),
            None => Err(RegistryError::Missing { name: model.to_string(), file: file.to_owned() }),
        }
    }

    fn hash(&mut self, path: &Path) -> Result<Sha256Hash, RegistryError> {
        if let Some(hash) = self.hashes.get(path) {
            return Ok(*hash);
        }
        let hash = hash_of(path)?;
        self.hashes.insert(path.to_owned(), hash);
        Ok(hash)
    }
}

/// Copies a file and returns the hash of the copy.
pub(super) fn copy(from: &Path, to: &Path) -> Result<Sha256Hash, RegistryError> {
    File::open(from).map_err(RegistryError::io(from))?;
    let copied = fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    if let Err(error) = copied {
        // Frees the space, which may be what was missing. The first error is the one to report.
        let _ = fs::remove_file(to);
        return Err(RegistryError::io(to)(error));
    }
    hash_of(to)
}
