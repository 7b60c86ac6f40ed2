//! A model from files that the user has.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::pull::DownloadStep;
use super::unverified::unverified;
use super::{PublishedModel, RegistryError, hash_of, publish};
use crate::files::part_path;
use crate::model::card::WeightsFile;
use crate::model::files::CARD_FILE;
use crate::model::{ModelName, Sha256Hash};

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct ImportRequest<'a> {
    /// The name that the model gets.
    pub name: &'a ModelName,
    /// What is published under that name.
    pub published: Option<&'a PublishedModel>,
    /// Its files, or folders with them.
    pub paths: &'a [PathBuf],
    /// Whether files that nothing is known of are taken.
    pub allow_unverified: bool,
    /// The graph of a network that no built-in graph is of.
    pub graph: Option<&'a Path>,
}

/// How a model was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportOutcome {
    /// Its files are those that its authors publish.
    Verified,
    /// They are not known; every answer says so.
    Unverified,
}

/// Copies a model's files into `models`. Files of a published model are verified against what is
/// published; others make a folder with a card and a graph of its own.
///
/// # Errors
/// [`RegistryError::Exists`], `Hash`, `Missing`, `Unverifiable`, `Unfit`, `Io`.
pub fn import(
    import: &ImportRequest<'_>,
    models: &Path,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<ImportOutcome, RegistryError> {
    let folder = models.join(import.name.as_str());
    let exists = || RegistryError::Exists { name: import.name.to_string(), folder: folder.clone() };
    if folder.join(CARD_FILE).exists() {
        return Err(exists());
    }
    if let Some(published) = import.published.filter(|_| import.graph.is_none()) {
        match verified(published, GivenFiles::of(import.paths)?, &folder, progress) {
            Err(RegistryError::Hash { .. } | RegistryError::Missing { .. })
                if import.allow_unverified => {}
            result => return result.map(|()| ImportOutcome::Verified),
        }
    }
    if !import.allow_unverified {
        return Err(RegistryError::Unverifiable { name: import.name.to_string() });
    }
    if folder.exists() {
        return Err(exists());
    }
    unverified(import, models, progress)?;
    Ok(ImportOutcome::Unverified)
}

/// The files that were given.
pub(super) struct GivenFiles {
    pub(super) files: Vec<PathBuf>,
    hashes: HashMap<PathBuf, Sha256Hash>,
}

impl GivenFiles {
    /// Folders stand for the files in them.
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

    /// The file that is `weights`, whatever it is called: the one of that name first, then those of the
    /// same kind.
    fn find(
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

/// Takes the published files of a model.
fn verified(
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
        let part = part_path(&path);
        // What was copied is what counts.
        let found = copy(from, &part)?;
        if found != weights.sha256 {
            fs::remove_file(&part).map_err(RegistryError::io(&part))?;
            return Err(RegistryError::Hash {
                place: from.display().to_string(),
                file: weights.file.clone(),
                expected: weights.sha256,
                found,
            });
        }
        publish(&part, &path)?;
    }
    Ok(())
}

/// Copies a file; answers the copy's hash.
pub(super) fn copy(from: &Path, to: &Path) -> Result<Sha256Hash, RegistryError> {
    File::open(from).map_err(RegistryError::io(from))?;
    let copied = fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    if let Err(error) = copied {
        // It would only take room that may be what is missing.
        let _ = fs::remove_file(to);
        return Err(RegistryError::io(to)(error));
    }
    hash_of(to)
}
