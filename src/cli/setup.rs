//! What several commands need: ONNX Runtime, models, engines, object stores, default folders.

use std::path::{Path, PathBuf};

use super::compute;
use super::engine_args::EngineArgs;
use super::error::CliError;
use super::output::download_bar;
use crate::cluster::{ObjectReplica, StoreLocation};
use crate::engine::isolated::IsolatingLoader;
use crate::engine::limits::TimeLimits;
use crate::engine::pool::{Pool, PoolConfig};
use crate::engine::runtime::LibrarySearch;
use crate::engine::runtime::install::{self, InstallStep, pinned};
use crate::engine::runtime::locate::{FoundLibrary, LibraryOrigin, RUNTIME_VARIABLE};
use crate::engine::{ExecutionConfig, Provider, ProviderSelection};
use crate::model::{AvailableModels, Model};
use crate::proto::reason::Category;
use crate::session::replica::ReplicaError;

/// Opens an object store.
///
/// # Errors
/// It cannot be opened.
pub(super) fn open_store(location: &StoreLocation) -> Result<ObjectReplica, CliError> {
    ObjectReplica::open(location).map_err(|error| {
        let cause = format!("{location} cannot be opened: {error}");
        CliError::new(Category::Disk, cause, location.remedy())
    })
}

/// The error of a call that an object store has not answered.
pub(super) fn store_error(error: &ReplicaError) -> CliError {
    let remedy = "Check the store with `stemwire cluster check`.";
    CliError::new(Category::Server, error.to_string(), remedy)
}

/// Where ONNX Runtime is searched; `option` is the value of --runtime.
pub(super) fn search(option: Option<&Path>) -> LibrarySearch {
    let variable = std::env::var_os(RUNTIME_VARIABLE).filter(|value| !value.is_empty());
    LibrarySearch::from_here(option.map(Path::to_owned), variable.map(PathBuf::from))
}

/// Name of the autotune cache in the cache folder.
const CACHE_FILE: &str = "trials.toml";

/// Name of the file of measured speeds there.
const SPEEDS_FILE: &str = "speeds.toml";

/// The autotune cache, if the system has a cache folder.
pub(super) fn cache_file() -> Option<PathBuf> {
    cache_file_of(&search(None))
}

/// The same, beside the libraries of a search.
pub(super) fn cache_file_of(search: &LibrarySearch) -> Option<PathBuf> {
    Some(search.cache.as_ref()?.parent()?.join(CACHE_FILE))
}

/// The file of the speeds of models on this machine, if the system has a cache folder.
pub(super) fn speeds_file() -> Option<PathBuf> {
    Some(search(None).cache?.parent()?.join(SPEEDS_FILE))
}

/// The builds of ONNX Runtime to choose from. If there is none, the one for the CPU is installed, unless --offline or
/// a named library forbids that.
pub(super) fn libraries(
    args: &EngineArgs,
    search: &LibrarySearch,
) -> Result<Vec<FoundLibrary>, CliError> {
    match search.libraries() {
        Ok(libraries) => Ok(libraries),
        Err(error) if args.offline || search.is_named() => Err(error.into()),
        Err(_) => {
            eprintln!("ONNX Runtime, the inference library, is missing: installing it once");
            let path = install(Provider::Cpu, None, search)?;
            Ok(vec![FoundLibrary { path, origin: LibraryOrigin::Cache }])
        }
    }
}

/// Installs a build of ONNX Runtime into the cache, with a progress bar. Returns the library's path.
pub(super) fn install(
    provider: Provider,
    from: Option<&Path>,
    search: &LibrarySearch,
) -> Result<PathBuf, CliError> {
    let cache = search.cache.as_ref().ok_or_else(|| {
        let cause = "the system has no cache folder";
        CliError::new(Category::Engine, cause, "Set HOME, or name the library with --runtime.")
    })?;
    let wheel = pinned(provider)?;
    let bar = download_bar(wheel.bytes);
    let installed = install::install(provider, from, cache, &mut |step| match step {
        InstallStep::Fetching { bytes, .. } => {
            bar.set_message("downloading");
            bar.set_position(bytes);
        }
        InstallStep::Verifying => {
            bar.set_message("verifying");
            bar.set_position(wheel.bytes);
        }
        InstallStep::Unpacking => bar.set_message("unpacking"),
    });
    bar.finish_and_clear();
    let path = installed?;
    eprintln!("installed {} {} into {}", wheel.package, wheel.version, cache.display());
    Ok(path)
}

/// The built-in and the installed models; prints a warning for each that cannot be used.
pub(super) fn available_models(models_dir: Option<&Path>) -> AvailableModels {
    // A missing default folder is usual; a missing folder that the user has named is not.
    if let Some(folder) = models_dir
        && let Err(error) = std::fs::read_dir(folder)
    {
        eprintln!("warning: cannot read the models folder {}: {error}", folder.display());
    }
    let folder = models_dir.map(Path::to_owned).or_else(default_models_dir);
    let available = AvailableModels::open(folder.as_deref());
    for fault in available.faults() {
        eprintln!("warning: {fault}");
    }
    available
}

/// The folder of installed models.
pub(super) fn models_folder(models_dir: Option<&Path>) -> Result<PathBuf, CliError> {
    models_dir.map(Path::to_owned).or_else(default_models_dir).ok_or_else(|| {
        let cause = "the system has no folder for user data";
        CliError::new(Category::Disk, cause, "Name a folder with --models-dir.")
    })
}

/// How many workers there are, and how the threads are divided among them.
pub(super) fn pool_config(args: &EngineArgs) -> Result<PoolConfig, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or(cores, usize::from);
    match args.workers.map(usize::from) {
        None => Ok(PoolConfig::for_threads(threads)),
        Some(workers) if workers <= threads => Ok(PoolConfig::for_workers(threads, workers)),
        Some(workers) => {
            let cause = format!("{workers} workers cannot share {threads} compute threads");
            Err(CliError::new(Category::Usage, cause, "Lower --workers, or raise --threads."))
        }
    }
}

/// Starts the worker threads.
pub(super) fn pool(
    args: &EngineArgs,
    limits: TimeLimits,
    providers: ProviderSelection,
) -> Result<Pool, CliError> {
    let config = PoolConfig { limits, ..pool_config(args)? };
    let models_dir = models_folder(args.models_dir.as_deref()).ok();
    let command = move |model: &Model, config: &ExecutionConfig| {
        compute::command(model, config, models_dir.as_deref())
    };
    let loader = IsolatingLoader::new(providers.clone(), Box::new(command));
    let pool = Pool::with_cache(config, providers, Box::new(loader), speeds_file());
    pool.map_err(|error| {
        let cause = format!("cannot start threads: {error}");
        CliError::new(Category::Other, cause, "Lower --threads.")
    })
}

/// The folder of sessions unless --data-dir names another.
pub(super) fn default_data_dir() -> Option<PathBuf> {
    dirs::data_local_dir().map(|folder| folder.join("stemwire"))
}

fn default_models_dir() -> Option<PathBuf> {
    default_data_dir().map(|folder| folder.join("models"))
}
