//! What goes wrong with getting models.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Sha256Hash;

/// Why a model is not installed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nobody publishes a model of that name, as far as is known here.
    #[error("no published model is called {name:?}; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are, comma-separated.
        known: String,
    },
    /// Something of that name is there already.
    #[error("model {name} is there already, in {}", folder.display())]
    Exists {
        /// The model.
        name: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// There is no model of that name to be removed or verified.
    #[error("model {name} is not installed")]
    NotInstalled {
        /// The name asked for.
        name: String,
    },
    /// It cannot be removed.
    #[error("model {name} is part of the binary")]
    Embedded {
        /// The model.
        name: String,
    },
    /// Another process fetches it.
    #[error("{} is being written by another process", path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// The server cannot be reached, or the connection breaks again and again.
    #[error("cannot fetch {address}: {reason}")]
    Network {
        /// What was asked for.
        address: String,
        /// What the system says.
        reason: String,
        /// Bytes that are kept, to go on from.
        kept: u64,
    },
    /// The server has no such file, or does not give it.
    #[error("cannot fetch {address}: the server answers {status}")]
    Status {
        /// What was asked for.
        address: String,
        /// The HTTP status.
        status: u16,
    },
    /// A file is not the published one.
    #[error("{place} has SHA-256 {found}, the published {file} has {expected}: not installed")]
    Hash {
        /// The file or address.
        place: String,
        /// The published file's name.
        file: String,
        /// The published hash.
        expected: Sha256Hash,
        /// The file's hash.
        found: Sha256Hash,
    },
    /// A file of an installed model is not the one that its card names.
    #[error("{place} has SHA-256 {found}, but {file} must have {expected}")]
    Damaged {
        /// The file.
        place: String,
        /// Its name.
        file: String,
        /// The hash that it must have.
        expected: Sha256Hash,
        /// The hash that it has.
        found: Sha256Hash,
    },
    /// What was given to import lacks a file of the model.
    #[error("{file} of model {name} is not among what was given")]
    Missing {
        /// The model.
        name: String,
        /// The published file's name.
        file: String,
    },
    /// Nothing is known that the file could be held against.
    #[error("nothing is published as {name:?}, so nothing says what its weights must be")]
    Unverifiable {
        /// The name asked for.
        name: String,
    },
    /// The weights are of no kind that is understood, or for another graph.
    #[error("{} is not imported: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
        /// What helps.
        remedy: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl RegistryError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> RegistryError + '_ {
        |source| RegistryError::Io { path: path.to_owned(), source }
    }

    /// What the user can do about it, in one line.
    pub fn remedy(&self) -> String {
        match self {
            RegistryError::Unknown { .. } => "see `stemwire models list`".into(),
            RegistryError::Exists { name, .. } => {
                format!("use it, or remove it first with `stemwire models remove {name}`")
            }
            RegistryError::NotInstalled { .. } => "see `stemwire models list`".into(),
            RegistryError::Embedded { .. } => "name another model, or leave it".into(),
            RegistryError::Busy { .. } => "wait until it has finished".into(),
            RegistryError::Network { kept: 0, .. } => {
                "see that this machine reaches it (HTTPS_PROXY names a proxy, --mirror another \
                 server), or fetch the file elsewhere and use `stemwire models import`"
                    .into()
            }
            RegistryError::Network { kept, .. } => {
                format!("run the same command again: it goes on after {kept} bytes")
            }
            RegistryError::Status { .. } => {
                "see that --mirror is right where it is given, or fetch the file elsewhere and use \
                 `stemwire models import`"
                    .into()
            }
            RegistryError::Hash { .. } => {
                "fetch the file again, from its authors; --allow-unverified imports another file \
                 and says so in every answer"
                    .into()
            }
            RegistryError::Damaged { .. } => {
                "fetch a published model again with `stemwire models pull`; remove another with \
                 `stemwire models remove` and import it again"
                    .into()
            }
            RegistryError::Missing { .. } => "name all its files, or a folder with them".into(),
            RegistryError::Unverifiable { .. } => {
                "give --allow-unverified to import it all the same; every answer will say so".into()
            }
            RegistryError::Unfit { remedy, .. } => (*remedy).into(),
            RegistryError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on that disk and run the same command again, or name another folder with \
                 --models-dir"
                    .into()
            }
            RegistryError::Io { .. } => {
                "see that the file may be read and the folder written, or name another with \
                 --models-dir"
                    .into()
            }
        }
    }
}
