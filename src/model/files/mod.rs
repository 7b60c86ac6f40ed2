//! A model: its card and where its files are.

mod ensemble;

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use super::known_mdx::KnownMdx;
use super::{ModelCard, ModelError, Sha256Hash};
use crate::files::Shortage;

pub use ensemble::{Ensemble, MemberStem, Split};

/// Name of the card in a model's folder.
pub const CARD_FILE: &str = "card.toml";

/// A model whose card has been read. Its files are read and verified when it is loaded.
pub struct Model {
    card: ModelCard,
    files: ModelFiles,
}

/// Where a model's files are.
enum ModelFiles {
    Embedded {
        graph: &'static [u8],
        weights: &'static [u8],
    },
    /// The authors' files of weights, for a graph that is part of the binary.
    Published {
        graph: &'static [u8],
        folder: PathBuf,
    },
    Folder(PathBuf),
    /// Those of other models.
    Ensemble(Ensemble),
}

/// A verified file that is read from any position.
pub trait VerifiedFile: Read + Seek {}

impl<T: Read + Seek> VerifiedFile for T {}

impl Model {
    /// A model that is part of the binary.
    ///
    /// # Errors
    /// [`ModelError::Card`].
    pub fn embedded(
        card: &str,
        graph: &'static [u8],
        weights: &'static [u8],
    ) -> Result<Model, ModelError> {
        let card = ModelCard::parse(card, "(embedded)")?;
        Ok(Model { card, files: ModelFiles::Embedded { graph, weights } })
    }

    /// A model whose card and graph are part of the binary and whose weights are in `folder`.
    pub fn published(card: ModelCard, graph: &'static [u8], folder: &Path) -> Model {
        Model { card, files: ModelFiles::Published { graph, folder: folder.to_owned() } }
    }

    /// Several models as one.
    fn of_ensemble(card: ModelCard, ensemble: Ensemble) -> Model {
        Model { card, files: ModelFiles::Ensemble(ensemble) }
    }

    /// The models that it consists of, if it is an ensemble.
    pub fn ensemble(&self) -> Option<&Ensemble> {
        match &self.files {
            ModelFiles::Ensemble(ensemble) => Some(ensemble),
            _ => None,
        }
    }

    /// A model in a folder of its own: a card, and the files that it names.
    ///
    /// # Errors
    /// [`ModelError::Card`].
    pub fn in_folder(folder: &Path) -> Result<Model, ModelError> {
        let path = folder.join(CARD_FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| ModelError::Card {
            card: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let card = ModelCard::parse(&text, &path.display().to_string())?;
        Ok(Model::with_card(card, folder))
    }

    /// The same with a card that has been read.
    pub fn with_card(card: ModelCard, folder: &Path) -> Model {
        Model { card, files: ModelFiles::Folder(folder.to_owned()) }
    }

    /// The model's card.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Whether the model is part of the binary.
    pub fn is_embedded(&self) -> bool {
        matches!(self.files, ModelFiles::Embedded { .. })
    }

    /// Whether it is a published model: its card and graph are part of the binary.
    pub fn is_published(&self) -> bool {
        matches!(self.files, ModelFiles::Published { .. })
    }

    /// Whether the weights are known to be those of their authors: part of the binary, or as published. A model with a
    /// card of its own in the models folder is unverified, unless its file is known by its hash.
    pub fn is_verified(&self) -> bool {
        match &self.files {
            ModelFiles::Embedded { .. } | ModelFiles::Published { .. } => true,
            ModelFiles::Folder(_) => KnownMdx::is_of(&self.card),
            ModelFiles::Ensemble(of) => of.members.iter().all(|member| member.is_verified()),
        }
    }

    /// The folder of the model's files; `None` if it is part of the binary or an ensemble.
    pub fn folder(&self) -> Option<&Path> {
        match &self.files {
            ModelFiles::Embedded { .. } | ModelFiles::Ensemble(_) => None,
            ModelFiles::Published { folder, .. } | ModelFiles::Folder(folder) => Some(folder),
        }
    }

    /// Names and hashes of the files in the model's folder.
    pub fn files(&self) -> Vec<(&str, Sha256Hash)> {
        let weights = self.card.weights.iter().map(|weights| (&*weights.file, weights.sha256));
        match self.files {
            ModelFiles::Embedded { .. } | ModelFiles::Ensemble(_) => Vec::new(),
            ModelFiles::Published { .. } => weights.collect(),
            ModelFiles::Folder(_) => {
                weights.chain([(&*self.card.graph.file, self.card.graph.sha256)]).collect()
            }
        }
    }

    /// Bytes of the files of weights, and of the graph if it is not part of the binary.
    pub fn stored_bytes(&self) -> u64 {
        match &self.files {
            ModelFiles::Embedded { weights, .. } => weights.len() as u64,
            ModelFiles::Ensemble(of) => of.members.iter().map(|one| one.stored_bytes()).sum(),
            ModelFiles::Published { folder, .. } | ModelFiles::Folder(folder) => {
                let bytes = |(file, _)| folder.join(file).metadata().map_or(0, |data| data.len());
                self.files().into_iter().map(bytes).sum()
            }
        }
    }

    /// Reads and verifies the graph.
    ///
    /// # Errors
    /// [`ModelError::File`], [`ModelError::Hash`].
    pub fn graph(&self) -> Result<Cow<'static, [u8]>, ModelError> {
        let file = &self.card.graph;
        match &self.files {
            ModelFiles::Embedded { graph, .. } | ModelFiles::Published { graph, .. } => {
                self.verified(Cow::Borrowed(*graph), file.file.clone(), file.sha256)
            }
            ModelFiles::Folder(folder) => self.read(folder, &file.file, file.sha256),
            ModelFiles::Ensemble(_) => Err(self.without_files()),
        }
    }

    /// Verifies the card's file of weights with that index and opens it. It may have gigabytes, so it is not read into
    /// memory.
    ///
    /// # Errors
    /// [`ModelError::File`], [`ModelError::Hash`].
    pub fn weights(&self, index: usize) -> Result<Box<dyn VerifiedFile>, ModelError> {
        let file = &self.card.weights[index];
        match &self.files {
            ModelFiles::Embedded { weights, .. } => {
                self.verified(Cow::Borrowed(*weights), file.file.clone(), file.sha256)?;
                Ok(Box::new(Cursor::new(*weights)))
            }
            ModelFiles::Ensemble(_) => Err(self.without_files()),
            ModelFiles::Published { folder, .. } | ModelFiles::Folder(folder) => {
                let path = folder.join(&file.file);
                let open = || {
                    let mut opened = File::open(&path)?;
                    let found = Sha256Hash::of_reader(&mut opened)?;
                    opened.rewind()?;
                    Ok((opened, found))
                };
                let (opened, found) = open().map_err(|error| self.file_error(&path, &error))?;
                self.check_hash(path.display().to_string(), file.sha256, found)?;
                Ok(Box::new(opened))
            }
        }
    }

    /// The folder and the name of the card's file of weights with that index, if it is a file there, not a link.
    pub fn place_of_weights(&self, index: usize) -> Option<(&Path, &str)> {
        let folder = self.folder()?;
        let file = &*self.card.weights.get(index)?.file;
        let is_file = folder.join(file).symlink_metadata().is_ok_and(|data| data.is_file());
        is_file.then_some((folder, file))
    }

    fn without_files(&self) -> ModelError {
        let reason = "an ensemble has no files of its own".to_owned();
        ModelError::Unfit { model: self.card.name.to_string(), reason }
    }

    fn read(
        &self,
        folder: &Path,
        file: &str,
        expected: Sha256Hash,
    ) -> Result<Cow<'static, [u8]>, ModelError> {
        let path = folder.join(file);
        let bytes = std::fs::read(&path).map_err(|error| self.file_error(&path, &error))?;
        self.verified(Cow::Owned(bytes), path.display().to_string(), expected)
    }

    fn file_error(&self, path: &Path, error: &io::Error) -> ModelError {
        ModelError::File {
            model: self.card.name.to_string(),
            path: path.display().to_string(),
            reason: error.to_string(),
            is_shortage: Shortage::of(error).is_some(),
        }
    }

    fn verified(
        &self,
        bytes: Cow<'static, [u8]>,
        path: String,
        expected: Sha256Hash,
    ) -> Result<Cow<'static, [u8]>, ModelError> {
        self.check_hash(path, expected, Sha256Hash::of(&bytes))?;
        Ok(bytes)
    }

    fn check_hash(
        &self,
        path: String,
        expected: Sha256Hash,
        found: Sha256Hash,
    ) -> Result<(), ModelError> {
        if found == expected {
            return Ok(());
        }
        let model = self.card.name.to_string();
        Err(ModelError::Hash { model, path, expected, found })
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({})", self.card.name)
    }
}
