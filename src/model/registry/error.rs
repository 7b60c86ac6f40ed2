//! Errors of downloading, importing and removing models.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Sha256Hash;

/// Why a registry operation failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The catalogue has no model of this name.
    #[error("there is no published model {name:?}; the published models are {known}")]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names, comma-separated.
        known: String,
    },
    /// The model is known by its hash, but not downloaded.
    #[error("model {name} is not downloaded: the licence of its weights is {licence}")]
    ImportOnly {
        /// The model.
        name: String,
        /// The licence.
        licence: String,
        /// The names of its files.
        files: Vec<String>,
    },
    /// A model of this name is already installed.
    #[error("model {name} is already installed in {}", folder.display())]
    Exists {
        /// The model.
        name: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// No model of this name is installed.
    #[error("model {name} is not installed")]
    NotInstalled {
        /// The requested name.
        name: String,
    },
    /// The model is part of the binary and cannot be removed.
    #[error("model {name} is part of the binary")]
    Embedded {
        /// The model.
        name: String,
    },
    /// Another process is downloading the file.
    #[error("{} is being written by another process", path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// The server cannot be reached, or the connection keeps breaking.
    #[error("cannot download {address}: {reason}")]
    Network {
        /// The address.
        address: String,
        /// The error of the system.
        reason: String,
        /// Bytes received so far, which the next attempt continues from.
        kept: u64,
    },
    /// The server refuses the file.
    #[error("cannot download {address}: the server returned status {status}")]
    Status {
        /// The address.
        address: String,
        /// The HTTP status.
        status: u16,
    },
    /// A file differs from the published one.
    #[error("{place} has SHA-256 {found}, but the published {file} has {expected}")]
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
    /// A file cannot be fetched from an object store.
    #[error("{file} of model {model} cannot be fetched from {store}: {problem}")]
    Store {
        /// The model.
        model: String,
        /// The file.
        file: String,
        /// The store.
        store: String,
        /// Why not.
        problem: StoreProblem,
    },
    /// A file of an installed model has another hash than its card names.
    #[error("{place} has SHA-256 {found}, but {file} must have {expected}")]
    Damaged {
        /// The file.
        place: String,
        /// Its name.
        file: String,
        /// The hash in the card.
        expected: Sha256Hash,
        /// The hash of the file.
        found: Sha256Hash,
    },
    /// A file of the model is not among the given ones.
    #[error("{file} of model {name} is not among the given files")]
    Missing {
        /// The model.
        name: String,
        /// The published file's name.
        file: String,
    },
    /// The files cannot be verified: nothing is published under this name, nor with their hashes.
    #[error("the files for {name:?} cannot be verified as those of a published model")]
    Unverifiable {
        /// The requested name.
        name: String,
    },
    /// The weights have an unknown format or do not fit the graph.
    #[error("cannot import {}: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// Why a file cannot be fetched from a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreProblem {
    /// It does not answer, or refuses.
    #[error("{0}")]
    Away(String),
    /// The file is not there, or its last `push` has not ended.
    #[error("it is not there")]
    Missing,
    /// A piece of the file is missing or too short.
    #[error("piece {0} of it is missing or damaged")]
    MissingPiece(u64),
    /// There are other bytes.
    #[error("what is there does not have SHA-256 {0}")]
    Wrong(Sha256Hash),
    /// There are more bytes than a file may have.
    #[error("what is there has {bytes} bytes, and the limit is {limit}")]
    TooLong {
        /// Bytes that are there.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

impl RegistryError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> RegistryError + '_ {
        |source| RegistryError::Io { path: path.to_owned(), source }
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            RegistryError::Unknown { .. } | RegistryError::NotInstalled { .. } => {
                "Run `stemwire models list` to see the models.".into()
            }
            RegistryError::ImportOnly { name, files, .. } => {
                format!("Get {} yourself and run `stemwire models import {name} FILE`.", files.join(", "))
            }
            RegistryError::Exists { name, .. } => {
                format!("Use it, or remove it first with `stemwire models remove {name}`.")
            }
            RegistryError::Embedded { .. } => "Name another model.".into(),
            RegistryError::Busy { .. } => "Wait until it has finished.".into(),
            RegistryError::Network { kept: 0, .. } => {
                "Check that this machine reaches the server (HTTPS_PROXY names a proxy, --mirror another \
                 server), or download the file elsewhere and use `stemwire models import`."
                    .into()
            }
            RegistryError::Network { kept, .. } => {
                format!("Run the command again to continue after {kept} bytes.")
            }
            RegistryError::Status { .. } => {
                "Check --mirror, or download the file elsewhere and use `stemwire models import`."
                    .into()
            }
            RegistryError::Hash { .. } => {
                "Download the file again from its authors, or import it with --allow-unverified, which every \
                 result reports."
                    .into()
            }
            RegistryError::Damaged { .. } => {
                "Download a published model again with `stemwire models pull`, or remove the model with \
                 `stemwire models remove` and import it again."
                    .into()
            }
            RegistryError::Store { problem: StoreProblem::Away(_), .. } => {
                "Check the store with `stemwire cluster check`.".into()
            }
            RegistryError::Store { model, store, .. } => {
                format!("Run `stemwire models push {model} --store {store}` where the model is installed.")
            }
            RegistryError::Missing { .. } => "Give all of its files, or a folder with them.".into(),
            RegistryError::Unverifiable { .. } => {
                "Give --allow-unverified to import it anyway, which every result reports.".into()
            }
            RegistryError::Unfit { remedy, .. } => (*remedy).into(),
            RegistryError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "Free space on that disk, or name another folder with --models-dir."
                    .into()
            }
            RegistryError::Io { .. } => {
                "Check that the file can be read and the folder written, or name another folder with \
                 --models-dir."
                    .into()
            }
        }
    }
}
