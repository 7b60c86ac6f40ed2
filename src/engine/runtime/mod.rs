//! ONNX Runtime: finding ([`locate`]), installing ([`install`], [`wheel`]) and loading the library, and setting its
//! execution providers ([`execution`]).
//!
//! The library is not part of the binary. It is searched for at the path that the user names, beside the binary, and in the
//! user's cache, into which it can be installed from the wheel published on the Python Package Index.

pub(super) mod execution;
pub mod install;
pub mod locate;
pub mod wheel;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;

use super::{EngineError, Provider};
use crate::model::ModelName;

pub use execution::ExecutionConfig;
pub use locate::LibrarySearch;

/// The loaded library. A process loads one library, once.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    name: String,
    path: PathBuf,
}

/// Errors of finding, installing and loading the library.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The library was not found.
    #[error("ONNX Runtime was not found. Searched:\n{}", tried.join("\n"))]
    NotFound {
        /// Every searched path, with its origin.
        tried: Vec<String>,
    },
    /// The library does not load.
    #[error("{} does not load as ONNX Runtime: {reason}", path.display())]
    NotLoadable {
        /// The library.
        path: PathBuf,
        /// The error of the loader.
        reason: String,
    },
    /// No wheel is known for this provider on this platform.
    #[error("there is no {provider} runtime for {target}, only {known}")]
    NoWheel {
        /// The provider.
        provider: Provider,
        /// This platform.
        target: String,
        /// The providers with a wheel.
        known: String,
    },
    /// None of the usable libraries has the requested provider.
    #[error("provider {provider} is not available: found only {}", found.join(", "))]
    NoProvider {
        /// The provider.
        provider: Provider,
        /// The libraries with their providers.
        found: Vec<String>,
        /// Whether the user named a library, so that no other is considered.
        named: bool,
    },
    /// A provider does not work on this machine.
    #[error("provider {provider} fails in {}: {reason}", path.display())]
    ProviderFails {
        /// The provider.
        provider: Provider,
        /// The library.
        path: PathBuf,
        /// The error of the runtime.
        reason: String,
    },
    /// pip is missing or cannot download the wheel.
    #[error("cannot download {file} with pip: {reason}")]
    Fetch {
        /// The wheel's file name.
        file: String,
        /// The error of pip, or why it did not start.
        reason: String,
    },
    /// The wheel differs from the published one.
    #[error("{} has SHA-256 {found}, but the published {file} has {expected}", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// The published wheel's name.
        file: String,
        /// The published hash.
        expected: String,
        /// The file's hash.
        found: String,
    },
    /// The wheel does not unpack.
    #[error("cannot unpack {}: {reason}", path.display())]
    Unpack {
        /// The wheel.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
}

impl RuntimeError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> RuntimeError + '_ {
        |source| RuntimeError::Io { path: path.to_owned(), source }
    }

    /// The error of a model whose card requires a provider that is missing or fails.
    pub fn for_model(&self, model: &ModelName) -> EngineError {
        let reason = match self {
            RuntimeError::NoProvider { provider, .. } => {
                format!("its card requires provider {provider}, which is not available")
            }
            RuntimeError::ProviderFails { provider, reason, .. } => {
                format!("its card requires provider {provider}, which fails: {reason}")
            }
            other => other.to_string(),
        };
        EngineError::Load { model: model.to_string(), reason }
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            RuntimeError::NotFound { .. } => {
                "Run `stemwire runtime install cpu`, or name the library with --runtime FILE."
                    .into()
            }
            RuntimeError::NotLoadable { .. } => {
                "Install a version that is known to work with `stemwire runtime install cpu`."
                    .into()
            }
            RuntimeError::NoWheel { .. } => {
                "Install ONNX Runtime 1.24 or later yourself and name it with --runtime FILE."
                    .into()
            }
            RuntimeError::NoProvider { provider, named: true, .. } => {
                format!(
                    "Name a library that has {provider}, or run `stemwire runtime install {provider}` and name \
                     none."
                )
            }
            RuntimeError::NoProvider { provider, .. } => {
                format!("Run `stemwire runtime install {provider}`, or use --provider auto.")
            }
            RuntimeError::ProviderFails { provider: Provider::Cuda, .. } => {
                "Check that the driver works and that CUDA 13 and cuDNN 9 are in the library path \
                 (LD_LIBRARY_PATH), or use --provider auto."
                    .into()
            }
            RuntimeError::ProviderFails { provider, .. } => {
                format!(
                    "Remove it and run `stemwire runtime install {provider}` again, or use --provider auto."
                )
            }
            RuntimeError::Fetch { file, .. } => format!(
                "Download {file} from the Python Package Index in another way and run `stemwire runtime \
                 install PROVIDER --from FILE`."
            ),
            RuntimeError::Hash { .. } => "Download the file again.".into(),
            RuntimeError::Unpack { .. } => {
                "Download the file again, and check that the disk has space.".into()
            }
            RuntimeError::Io { .. } => {
                "Check that the folder can be written and the disk has space.".into()
            }
        }
    }
}

impl Runtime {
    /// Loads the library at `path`, or returns the loaded one if it is the same file.
    ///
    /// # Errors
    /// [`RuntimeError::NotLoadable`], also for a second, different library.
    pub fn load(path: &Path) -> Result<Runtime, RuntimeError> {
        static LOADED: OnceLock<Runtime> = OnceLock::new();
        static LOADING: Mutex<()> = Mutex::new(());
        let unloadable =
            |reason: String| RuntimeError::NotLoadable { path: path.to_owned(), reason };
        let path = path.canonicalize().map_err(|error| unloadable(error.to_string()))?;
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = LOADED.get() {
            if loaded.path == path {
                return Ok(loaded.clone());
            }
            return Err(unloadable(format!("{} is already loaded", loaded.path.display())));
        }
        let environment = ort::init_from(&path)
            .map_err(|error| unloadable(error.to_string()))?
            .with_name("stemwire")
            .with_telemetry(false)
            .build()
            .map_err(|error| unloadable(error.to_string()))?;
        let name = format!("onnxruntime {}", version(&path));
        Ok(LOADED.get_or_init(|| Runtime { environment, name, path }).clone())
    }

    /// Name and version, such as `onnxruntime 1.31.1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file of the library.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// The version of the loaded library, from its build information or else from its file name.
fn version(path: &Path) -> String {
    let numbers = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        text[..end].trim_matches('.').to_owned()
    };
    let info = ort::info();
    let branch = info.split("git-branch=rel-").nth(1).map(numbers);
    let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let suffix = file_name.and_then(|name| {
        let rest = name.split("onnxruntime.").nth(1)?.trim_start_matches("so.").to_owned();
        Some(numbers(&rest))
    });
    [branch, suffix].into_iter().flatten().find(|v| !v.is_empty()).unwrap_or("unknown".into())
}
