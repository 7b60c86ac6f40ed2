//! ONNX Runtime: found ([`locate`]), installed ([`install`], [`wheel`]) and loaded here, and told by what
//! to compute ([`execution`]).
//!
//! The library is not part of the binary. It is looked for where the user said, then beside the
//! binary, then in the user's cache, into which it can be installed from the wheel that its makers
//! publish.

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

/// The loaded library. There is one in a process, for good.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    name: String,
    path: PathBuf,
}

/// What goes wrong with finding, installing and loading the library.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// It is nowhere.
    #[error("ONNX Runtime was not found. Looked at:\n{}", tried.join("\n"))]
    NotFound {
        /// Every path that was tried, with the reason why it was.
        tried: Vec<String>,
    },
    /// It is there but does not load.
    #[error("{} does not load as ONNX Runtime: {reason}", path.display())]
    NotLoadable {
        /// The library.
        path: PathBuf,
        /// What the system's loader says.
        reason: String,
    },
    /// No wheel is known for this provider on this kind of machine.
    #[error("there is no {provider} runtime for {target}; there are: {known}")]
    NoWheel {
        /// The provider.
        provider: Provider,
        /// This machine.
        target: String,
        /// What there is for it.
        known: String,
    },
    /// None of the usable libraries has the requested provider.
    #[error("provider {provider} is not available: found only {}", found.join(", "))]
    NoProvider {
        /// The provider.
        provider: Provider,
        /// The libraries, each with what it has.
        found: Vec<String>,
        /// Whether one was named, so that no other is looked at.
        named: bool,
    },
    /// A provider's library is there, but it does not work here.
    #[error("provider {provider} fails in {}: {reason}", path.display())]
    ProviderFails {
        /// The provider.
        provider: Provider,
        /// The library.
        path: PathBuf,
        /// What the runtime says.
        reason: String,
    },
    /// pip is not there or cannot fetch the wheel.
    #[error("cannot fetch {file} with pip: {reason}")]
    Fetch {
        /// The wheel's file name.
        file: String,
        /// What pip says, or why it did not start.
        reason: String,
    },
    /// The wheel is not the published one.
    #[error("{} has SHA-256 {found}, the published {file} has {expected}: not installed", path.display())]
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
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl RuntimeError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> RuntimeError + '_ {
        |source| RuntimeError::Io { path: path.to_owned(), source }
    }

    /// What it is for a model whose card asks for what is not here.
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

    /// What the user can do about it, in one line.
    pub fn remedy(&self) -> String {
        match self {
            RuntimeError::NotFound { .. } => {
                "run `stemwire runtime install cpu`, or name the library with --runtime FILE".into()
            }
            RuntimeError::NotLoadable { .. } => {
                "install a version that is known to work with `stemwire runtime install cpu`".into()
            }
            RuntimeError::NoWheel { .. } => {
                "install ONNX Runtime 1.24 or later yourself and name it with --runtime FILE".into()
            }
            RuntimeError::NoProvider { provider, named: true, .. } => {
                format!("name a library that has {provider}, or none, after `stemwire runtime install {provider}`")
            }
            RuntimeError::NoProvider { provider, .. } => {
                format!("run `stemwire runtime install {provider}`, or leave the choice to --provider auto")
            }
            RuntimeError::ProviderFails { provider: Provider::Cuda, .. } => {
                "see that the driver works and that CUDA 13 and cuDNN 9 are where libraries are looked for \
                 (LD_LIBRARY_PATH), or leave the choice to --provider auto"
                    .into()
            }
            RuntimeError::ProviderFails { provider, .. } => {
                format!("remove it and run `stemwire runtime install {provider}` again, or leave the choice to --provider auto")
            }
            RuntimeError::Fetch { file, .. } => format!(
                "get {file} from the Python Package Index in another way and run `stemwire runtime \
                 install PROVIDER --from FILE`"
            ),
            RuntimeError::Hash { .. } => "fetch the file again".into(),
            RuntimeError::Unpack { .. } => {
                "fetch the file again, and see that the disk has room".into()
            }
            RuntimeError::Io { .. } => {
                "see that the folder may be written and the disk has room".into()
            }
        }
    }
}

impl Runtime {
    /// Loads the library at `path`, or answers the one that is loaded if it is the same file.
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
            return Err(unloadable(format!("{} is loaded already", loaded.path.display())));
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

    /// Such as `onnxruntime 1.31.1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// The version of the loaded library: from its build information, else from its file name.
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
