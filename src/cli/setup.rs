//! What every command that computes needs: ONNX Runtime, models, workers.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::EngineArgs;
use super::error::CliError;
use crate::engine::limits::TimeLimits;
use crate::engine::pool::{Pool, PoolConfig};
use crate::engine::runtime::install::{InstallStep, install, pinned};
use crate::engine::runtime::locate::{FoundLibrary, LibraryOrigin, RUNTIME_VARIABLE};
use crate::engine::runtime::{LibrarySearch, RuntimeError};
use crate::engine::{Provider, ProviderSelection};
use crate::model::Catalog;
use crate::proto::reason::Category;

/// Where ONNX Runtime is looked for.
pub(super) fn search(flag: Option<&Path>) -> LibrarySearch {
    let environment = std::env::var_os(RUNTIME_VARIABLE).filter(|value| !value.is_empty());
    LibrarySearch::from_here(flag.map(Path::to_owned), environment.map(PathBuf::from))
}

/// The builds of ONNX Runtime to choose from; the CPU one is installed where there is none, unless that is
/// not wanted.
pub(super) fn libraries(
    arguments: &EngineArgs,
    search: &LibrarySearch,
) -> Result<Vec<FoundLibrary>, CliError> {
    match search.libraries() {
        Ok(libraries) => Ok(libraries),
        Err(error) if arguments.offline || search.is_named() => Err(error.into()),
        Err(_) => {
            eprintln!("ONNX Runtime, which runs the models, is not here yet: installing it once.");
            let path = install_with_bar(Provider::Cpu, None, search)?;
            Ok(vec![FoundLibrary { path, origin: LibraryOrigin::Cache }])
        }
    }
}

/// Installs a runtime into the cache and shows how far it is.
pub(super) fn install_with_bar(
    provider: Provider,
    from: Option<&Path>,
    search: &LibrarySearch,
) -> Result<PathBuf, CliError> {
    let cache = search.cache.as_ref().ok_or_else(|| {
        let cause = "this system names no cache folder";
        CliError::new(Category::Engine, cause, "set HOME, or name the library with --runtime FILE")
    })?;
    let wheel = pinned(provider)?;
    let bar = ProgressBar::new(wheel.bytes);
    let style = "{msg} [{bar:32}] {bytes}/{total_bytes}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let result = install(provider, from, cache, &mut |step| match step {
        InstallStep::Fetching { bytes, .. } => {
            bar.set_message("fetching");
            bar.set_position(bytes);
        }
        InstallStep::Verifying => {
            bar.set_message("verifying");
            bar.set_position(wheel.bytes);
        }
        InstallStep::Unpacking => bar.set_message("unpacking"),
    });
    bar.finish_and_clear();
    let path = result.map_err(|error: RuntimeError| CliError::from(error))?;
    eprintln!("installed {} {} into {}", wheel.package, wheel.version, cache.display());
    Ok(path)
}

/// A PEM file that holds at least one `what`, such as `CERTIFICATE`.
pub(super) fn pem(path: &Path, what: &str) -> Result<Vec<u8>, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        let cause = format!("cannot read {}: {error}", path.display());
        CliError::new(Category::Usage, cause, "give a PEM file that this user may read")
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains(what);
    if text.lines().any(begins) {
        return Ok(bytes);
    }
    let cause = format!("{} holds no {what} in PEM form", path.display());
    Err(CliError::new(
        Category::Usage,
        cause,
        format!("give a PEM file with a line `-----BEGIN {what}-----`"),
    ))
}

/// The models there are; broken ones are told.
pub(super) fn catalog(models_dir: Option<&Path>) -> Catalog {
    let folder = models_dir.map(Path::to_owned).or_else(default_models_dir);
    // Whoever has named a folder does not want the built-in models in silence where it cannot be read.
    if let Some(Err(error)) = models_dir.map(std::fs::read_dir) {
        let folder = models_dir.unwrap_or(Path::new("")).display();
        eprintln!("warning: cannot read the folder of models {folder}: {error}");
    }
    let catalog = Catalog::open(folder.as_deref());
    for fault in catalog.faults() {
        eprintln!("warning: {fault}");
    }
    catalog
}

/// The folder that models are put into.
pub(super) fn models_folder(models_dir: Option<&Path>) -> Result<PathBuf, CliError> {
    models_dir.map(Path::to_owned).or_else(default_models_dir).ok_or_else(|| {
        let cause = "this system names no data folder";
        CliError::new(Category::Disk, cause, "name a folder for models with --models-dir")
    })
}

/// How the cores are shared among workers.
pub(super) fn pool_config(arguments: &EngineArgs) -> Result<PoolConfig, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.map_or(cores, usize::from);
    match arguments.workers.map(usize::from) {
        None => Ok(PoolConfig::for_threads(threads)),
        Some(workers) if workers <= threads => Ok(PoolConfig::for_workers(threads, workers)),
        Some(workers) => {
            let cause = format!("{workers} workers cannot share {threads} compute threads");
            Err(CliError::new(Category::Usage, cause, "lower --workers, or raise --threads"))
        }
    }
}

/// Starts the workers.
pub(super) fn pool(
    arguments: &EngineArgs,
    limits: TimeLimits,
    providers: ProviderSelection,
) -> Result<Pool, CliError> {
    let config = PoolConfig { limits, ..pool_config(arguments)? };
    Pool::start(config, providers).map_err(|error| {
        let cause = format!("the system gives no more threads: {error}");
        CliError::new(Category::Other, cause, "lower --threads")
    })
}

/// Where sessions are kept if nothing else is said.
pub(super) fn default_data_dir() -> Option<PathBuf> {
    dirs::data_local_dir().map(|folder| folder.join("stemwire"))
}

fn default_models_dir() -> Option<PathBuf> {
    default_data_dir().map(|folder| folder.join("models"))
}
