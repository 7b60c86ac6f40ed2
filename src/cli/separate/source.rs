//! Where a song is read from, and what it was when it was read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::results::ResultSource;
use crate::cli::error::CliError;
use crate::model::Sha256Hash;
use crate::proto::reason::Category;

/// A file, or standard input.
#[derive(Debug, Clone)]
pub(super) struct SongSource {
    /// `None` for standard input.
    path: Option<PathBuf>,
    /// Once the song has been read to its end.
    fingerprint: Arc<Mutex<Option<Fingerprint>>>,
}

/// What identifies the contents of a song.
#[derive(Debug, Clone)]
struct Fingerprint {
    source: ResultSource,
    /// When the file was last written, where the system knows it.
    modified: Option<SystemTime>,
}

impl SongSource {
    /// The file at `path`.
    pub(super) fn file(path: PathBuf) -> SongSource {
        SongSource { path: Some(path), fingerprint: Arc::default() }
    }

    /// Standard input.
    pub(super) fn standard_input() -> SongSource {
        SongSource { path: None, fingerprint: Arc::default() }
    }

    /// The path of a file; `None` for standard input.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Opens the song for reading from its start.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(HashedInput {
                hasher: Sha256::new(),
                bytes: 0,
                fingerprint: Arc::clone(&self.fingerprint),
            }),
        })
    }

    /// Size and hash of the song, without a name. A file is read once; `None` for standard input that has not been read to
    /// its end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn fingerprint(&self) -> Result<Option<ResultSource>, CliError> {
        let mut known = lock(&self.fingerprint);
        if let (None, Some(path)) = (&*known, &self.path) {
            let read = Fingerprint::of(path).map_err(|error| self.unreadable(&error))?;
            *known = Some(read);
        }
        Ok(known.as_ref().map(|fingerprint| fingerprint.source.clone()))
    }

    /// Checks that the file has not been written since its fingerprint was taken.
    ///
    /// # Errors
    /// It has been, or it is gone.
    pub(super) fn check_unchanged(&self) -> Result<(), CliError> {
        let (Some(path), Some(known)) = (&self.path, &*lock(&self.fingerprint)) else {
            return Ok(());
        };
        let found = path.metadata().map_err(|error| self.unreadable(&error))?;
        if (found.len(), found.modified().ok()) == (known.source.bytes, known.modified) {
            return Ok(());
        }
        let cause = "the file changed while it was separated";
        Err(CliError::new(Category::Input, cause, "Separate it again once it is complete."))
    }

    /// The error of a song that cannot be read.
    pub(super) fn unreadable(&self, error: &io::Error) -> CliError {
        let name = match &self.path {
            Some(path) => path.display().to_string(),
            None => "standard input".into(),
        };
        CliError::plain(Category::Input, format!("cannot read {name}: {error}"))
    }
}

impl Fingerprint {
    fn of(path: &Path) -> io::Result<Fingerprint> {
        let file = File::open(path)?;
        // Before it is read: a later change is found.
        let found = file.metadata()?;
        let (bytes, modified) = (found.len(), found.modified().ok());
        let sha256 = Sha256Hash::of_reader(file)?;
        Ok(Fingerprint { source: ResultSource { name: String::new(), bytes, sha256 }, modified })
    }
}

/// Standard input, whose fingerprint is known once it has been read to its end.
struct HashedInput {
    hasher: Sha256,
    bytes: u64,
    fingerprint: Arc<Mutex<Option<Fingerprint>>>,
}

impl Read for HashedInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = io::stdin().read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        if count == 0 && !buffer.is_empty() {
            let sha256 = Sha256Hash(self.hasher.clone().finalize().into());
            let source = ResultSource { name: String::new(), bytes: self.bytes, sha256 };
            *lock(&self.fingerprint) = Some(Fingerprint { source, modified: None });
        }
        Ok(count)
    }
}

fn lock(fingerprint: &Mutex<Option<Fingerprint>>) -> MutexGuard<'_, Option<Fingerprint>> {
    fingerprint.lock().unwrap_or_else(PoisonError::into_inner)
}
