//! Installs models whose files are kept elsewhere by hash, such as in the object store of a cluster.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::StoreProblem;
use super::fetched::{DownloadStep, FileToInstall, PartialFile, fetch_verified};
use super::{PublishedModel, RegistryError};
use crate::files::{free_bytes, replace};
use crate::model::files::CARD_FILE;
use crate::model::{Model, ModelCard, ModelName, Sha256Hash};

/// Most bytes of a file that is fetched. The largest of the published ones has less than one GB.
const MAX_FILE_BYTES: u64 = 8 << 30;

/// Keeps files by hash, in pieces of one size, of which the last may be shorter. What it returns is verified by its caller.
pub trait PieceSource {
    /// What errors name it by.
    fn place(&self) -> String;

    /// Bytes of each piece but the last.
    fn piece_bytes(&self) -> u64;

    /// Bytes of a file; `None` if it is not there.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn length(&self, sha256: Sha256Hash) -> Result<Option<u64>, String>;

    /// The first `bytes` of a piece of a file, or less if it has less; `None` if it is not there.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn piece(&self, sha256: Sha256Hash, index: u64, bytes: u64) -> Result<Option<Vec<u8>>, String>;
}

/// A model that is to be installed, by a card that is trusted: it has the hashes of the files.
#[derive(Debug, Clone)]
pub enum ModelToInstall {
    /// A published one, whose card and graph are part of the binary.
    Published(Box<PublishedModel>),
    /// One with a card of its own.
    Own(Box<ModelCard>),
}

impl ModelToInstall {
    /// Its card.
    pub fn card(&self) -> &ModelCard {
        match self {
            ModelToInstall::Published(published) => &published.card,
            ModelToInstall::Own(card) => card,
        }
    }

    /// Its name.
    pub fn name(&self) -> &ModelName {
        &self.card().name
    }

    /// The model as if it were installed in `models`. Without its files, it cannot be loaded.
    pub fn model(&self, models: &Path) -> Model {
        let folder = self.folder(models);
        match self {
            ModelToInstall::Published(published) => {
                Model::published(published.card.clone(), published.graph, &folder)
            }
            ModelToInstall::Own(card) => Model::with_card((**card).clone(), &folder),
        }
    }

    /// Whether `other` is this model.
    pub fn is(&self, other: &Model) -> bool {
        self.card() == other.card()
    }

    fn folder(&self, models: &Path) -> PathBuf {
        models.join(self.name().as_str())
    }

    /// Fetches its missing files into its folder in `models`, and then writes its card, if it has one of its own: until then
    /// there is no such model.
    ///
    /// # Errors
    /// [`RegistryError::Exists`] if another model has the name; `Store`, `Busy`, `Io`.
    pub fn install(
        &self,
        models: &Path,
        source: &dyn PieceSource,
        progress: &mut dyn FnMut(DownloadStep<'_>),
    ) -> Result<(), RegistryError> {
        let folder = self.folder(models);
        let card_file = folder.join(CARD_FILE);
        let is_taken = match self {
            ModelToInstall::Published(_) => card_file.exists(),
            ModelToInstall::Own(_) if card_file.exists() => {
                !Model::in_folder(&folder).is_ok_and(|model| self.is(&model))
            }
            ModelToInstall::Own(_) => {
                let published = PublishedModel::find(self.name().as_str());
                published.is_ok_and(|published| published.installed(models).is_some())
            }
        };
        if is_taken {
            return Err(RegistryError::Exists { name: self.name().to_string(), folder });
        }
        fs::create_dir_all(&folder).map_err(RegistryError::io(&folder))?;
        for (file, sha256) in self.model(models).files() {
            let wanted = FileToInstall { folder: &folder, file, sha256 };
            let error = |problem| RegistryError::Store {
                model: self.name().to_string(),
                file: file.to_owned(),
                store: source.place(),
                problem,
            };
            fetch_verified(
                wanted,
                &mut |partial, progress| fetch(source, sha256, partial, &error, progress),
                &|_| error(StoreProblem::Wrong(sha256)),
                progress,
            )?;
        }
        match self {
            ModelToInstall::Published(_) => Ok(()),
            ModelToInstall::Own(card) => {
                let invalid = |reason| RegistryError::Io {
                    path: card_file.clone(),
                    source: io::Error::other(reason),
                };
                let text = card.to_toml().map_err(invalid)?;
                replace(&card_file, text.as_bytes()).map_err(RegistryError::io(&card_file))
            }
        }
    }
}

/// Writes the rest of a file into `partial`, after the whole pieces in it.
fn fetch(
    source: &dyn PieceSource,
    sha256: Sha256Hash,
    partial: &mut PartialFile,
    error: &dyn Fn(StoreProblem) -> RegistryError,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), RegistryError> {
    let away = |cause| error(StoreProblem::Away(cause));
    let length =
        source.length(sha256).map_err(away)?.ok_or_else(|| error(StoreProblem::Missing))?;
    if length > MAX_FILE_BYTES {
        return Err(error(StoreProblem::TooLong { bytes: length, limit: MAX_FILE_BYTES }));
    }
    let size = source.piece_bytes();
    let first = partial.length()?.min(length) / size;
    let io = || RegistryError::io(&partial.path);
    let folder = partial.path.parent().unwrap_or(&partial.path);
    // A disk that is full to the last byte would disturb other processes.
    let needed = length - first * size;
    if let Some(free) = free_bytes(folder).filter(|&free| free < needed) {
        let cause = format!("{needed} bytes are needed on the disk, and {free} are free");
        return Err(io()(io::Error::new(io::ErrorKind::StorageFull, cause)));
    }
    partial.file.set_len(first * size).map_err(io())?;
    partial.file.seek(SeekFrom::End(0)).map_err(io())?;
    for index in first..length.div_ceil(size) {
        let begin = index * size;
        progress(begin, length);
        let bytes = size.min(length - begin);
        let piece = source.piece(sha256, index, bytes).map_err(away)?;
        let piece = piece.filter(|piece| piece.len() as u64 == bytes);
        let piece = piece.ok_or_else(|| error(StoreProblem::MissingPiece(index)))?;
        partial.file.write_all(&piece).map_err(io())?;
    }
    progress(length, length);
    partial.file.sync_all().map_err(io())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A file in pieces of four bytes, of which only the first ones are there, and the pieces that were asked for.
    struct Pieces {
        bytes: Vec<u8>,
        length: u64,
        until: u64,
        asked: RefCell<Vec<u64>>,
    }

    impl Pieces {
        fn new(bytes: &[u8], until: u64) -> Pieces {
            let (length, asked) = (bytes.len() as u64, RefCell::default());
            Pieces { bytes: bytes.to_vec(), length, until, asked }
        }
    }

    impl PieceSource for Pieces {
        fn place(&self) -> String {
            "a store".into()
        }

        fn piece_bytes(&self) -> u64 {
            4
        }

        fn length(&self, _: Sha256Hash) -> Result<Option<u64>, String> {
            Ok(Some(self.length).filter(|_| self.until > 0))
        }

        fn piece(&self, _: Sha256Hash, index: u64, bytes: u64) -> Result<Option<Vec<u8>>, String> {
            self.asked.borrow_mut().push(index);
            let piece = self.bytes.chunks(4).nth(usize::try_from(index).unwrap());
            let piece = piece.map(|piece| piece[..piece.len().min(bytes as usize)].to_vec());
            Ok(piece.filter(|_| index < self.until))
        }
    }

    /// A model whose graph has these bytes.
    fn wanted(graph: &[u8]) -> ModelToInstall {
        let text = format!(
            "name = \"own\"\ntitle = \"own\"\nfamily = \"onnx\"\nstems = [\"vocals\"]\nsample_rate = 44100\nsegment = 1000\n\
             overlap = 0.25\nlicence = \"MIT\"\n[graph]\nfile = \"graph.onnx\"\nsha256 = \"{}\"\n",
            Sha256Hash::of(graph)
        );
        ModelToInstall::Own(Box::new(ModelCard::parse(&text, "test").unwrap()))
    }

    fn install(wanted: &ModelToInstall, models: &Path, source: &Pieces) -> Result<(), String> {
        let installed = wanted.install(models, source, &mut |_| {});
        let has_card = models.join("own").join(CARD_FILE).exists();
        assert_eq!(installed.is_ok(), has_card, "the card makes the model");
        installed.map_err(|error| error.to_string())
    }

    #[test]
    fn a_model_is_there_once_all_of_it_is_verified() {
        let models = tempfile::tempdir().unwrap();
        let graph = b"thirteen byte";
        let wanted = wanted(graph);
        let hash = Sha256Hash::of(graph).to_string();
        let endless = Pieces { length: MAX_FILE_BYTES + 1, ..Pieces::new(graph, 9) };
        let more_than_disks_have = Pieces { length: MAX_FILE_BYTES, ..Pieces::new(graph, 9) };
        for (source, cause) in [
            (Pieces::new(b"thirteen-byte", 9), hash.as_str()),
            (Pieces::new(b"thirteen byt", 9), &hash),
            (Pieces::new(graph, 0), "it is not there"),
            (Pieces::new(graph, 2), "piece 2 of it is missing or damaged"),
            (Pieces { length: 16, ..Pieces::new(graph, 9) }, "piece 3 of it is missing or damaged"),
            (endless, "has 8589934593 bytes, and the limit is 8589934592"),
            (more_than_disks_have, ""),
        ] {
            let error = install(&wanted, models.path(), &source).unwrap_err();
            assert!(error.contains(cause), "{error}");
            assert!(!models.path().join("own/graph.onnx").exists());
        }
        // What an interrupted fetch has left is continued.
        let models = tempfile::tempdir().unwrap();
        install(&wanted, models.path(), &Pieces::new(graph, 2)).unwrap_err();
        let whole = Pieces::new(graph, 9);
        assert_eq!(install(&wanted, models.path(), &whole), Ok(()));
        assert_eq!(*whole.asked.borrow(), [2, 3]);
        assert_eq!(fs::read(models.path().join("own/graph.onnx")).unwrap(), graph);
        let model = Model::in_folder(&models.path().join("own")).unwrap();
        assert!(wanted.is(&model) && model.graph().is_ok());
        // A part of something else is replaced.
        let other = tempfile::tempdir().unwrap();
        fs::create_dir(other.path().join("own")).unwrap();
        fs::write(other.path().join("own/graph.onnx.part"), "something else").unwrap();
        assert_eq!(install(&wanted, other.path(), &Pieces::new(graph, 9)), Ok(()));
    }

    #[test]
    fn another_model_of_the_name_stays() {
        let models = tempfile::tempdir().unwrap();
        let check = |wanted: &ModelToInstall, file: &str, contents: &[u8]| {
            let installed = wanted.install(models.path(), &Pieces::new(b"two", 9), &mut |_| {});
            assert!(matches!(installed, Err(RegistryError::Exists { .. })), "{installed:?}");
            assert_eq!(fs::read(models.path().join(file)).unwrap(), contents);
        };
        install(&wanted(b"one"), models.path(), &Pieces::new(b"one", 9)).unwrap();
        check(&wanted(b"two"), "own/graph.onnx", b"one");
        let published = PublishedModel::find("htdemucs").unwrap();
        let file = &published.card.weights[0].file;
        let ModelToInstall::Own(own) = wanted(b"two") else { panic!("it is not published") };
        let own = ModelCard { name: published.card.name.clone(), ..*own };
        fs::create_dir(models.path().join("htdemucs")).unwrap();
        fs::write(models.path().join("htdemucs").join(file), "weights").unwrap();
        check(&ModelToInstall::Own(Box::new(own)), &format!("htdemucs/{file}"), b"weights");
    }
}
