//! Where the library is searched for.

use std::fmt;
use std::path::{Path, PathBuf};

use super::RuntimeError;
use crate::engine::Provider;

/// The places to search, in this order.
#[derive(Debug, Clone, Default)]
pub struct LibrarySearch {
    /// A library, or a folder with one, named on the command line.
    pub flag: Option<PathBuf>,
    /// The same, named in the environment.
    pub environment: Option<PathBuf>,
    /// The folder of the binary.
    pub beside: Option<PathBuf>,
    /// The folder into which runtimes are installed.
    pub cache: Option<PathBuf>,
}

/// A library and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLibrary {
    /// The library's file.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: LibraryOrigin,
}

/// Where a library was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LibraryOrigin {
    /// On the command line.
    Flag,
    /// In the environment.
    Environment,
    /// In the folder of the binary.
    Beside,
    /// In the cache.
    Cache,
}

/// The environment variable that names the library.
pub const RUNTIME_VARIABLE: &str = "STEMWIRE_RUNTIME";

impl LibrarySearch {
    /// Searches beside the running binary and in the user's cache, after the named paths.
    pub fn from_here(flag: Option<PathBuf>, environment: Option<PathBuf>) -> LibrarySearch {
        let binary = std::env::current_exe().ok();
        LibrarySearch {
            flag,
            environment,
            beside: binary.and_then(|path| path.parent().map(Path::to_owned)),
            cache: dirs::cache_dir().map(|cache| cache.join("stemwire").join("runtimes")),
        }
    }

    /// Finds the first library. A path that the user names must exist; no other is used instead.
    ///
    /// # Errors
    /// [`RuntimeError::NotFound`] with every searched path.
    pub fn find(&self) -> Result<FoundLibrary, RuntimeError> {
        let mut tried = Vec::new();
        for (origin, place) in self.places() {
            match library_at(&place) {
                Some(path) => return Ok(FoundLibrary { path, origin }),
                None => tried.push(format!("  {} ({origin})", place.display())),
            }
            if matches!(origin, LibraryOrigin::Flag | LibraryOrigin::Environment) {
                break;
            }
        }
        Err(RuntimeError::NotFound { tried })
    }

    /// Finds the libraries to choose from: the one that the user names, or the one beside the binary, or the newest of each
    /// installed build.
    ///
    /// # Errors
    /// [`RuntimeError::NotFound`] with every searched path.
    pub fn libraries(&self) -> Result<Vec<FoundLibrary>, RuntimeError> {
        let first = self.find()?;
        let (LibraryOrigin::Cache, Some(cache)) = (first.origin, &self.cache) else {
            return Ok(vec![first]);
        };
        let newest = |provider| {
            let path = installed(cache, provider).iter().find_map(|place| library_at(place))?;
            Some(FoundLibrary { path, origin: LibraryOrigin::Cache })
        };
        Ok(Provider::ALL.into_iter().filter_map(newest).collect())
    }

    /// Whether the user names a library, so that none may be installed instead.
    pub fn is_named(&self) -> bool {
        self.flag.is_some() || self.environment.is_some()
    }

    /// All paths that may hold a library, in order of preference.
    pub fn places(&self) -> Vec<(LibraryOrigin, PathBuf)> {
        let mut places = Vec::new();
        places.extend(self.flag.clone().map(|path| (LibraryOrigin::Flag, path)));
        places.extend(self.environment.clone().map(|path| (LibraryOrigin::Environment, path)));
        places.extend(self.beside.clone().map(|path| (LibraryOrigin::Beside, path)));
        if let Some(cache) = &self.cache {
            let installed: Vec<PathBuf> =
                Provider::ALL.into_iter().flat_map(|provider| installed(cache, provider)).collect();
            if installed.is_empty() {
                places.push((LibraryOrigin::Cache, cache.clone()));
            }
            places.extend(installed.into_iter().map(|path| (LibraryOrigin::Cache, path)));
        }
        places
    }
}

impl FoundLibrary {
    /// The providers of the library: the CPU, and those that are libraries of their own beside it.
    pub fn providers(&self) -> Vec<Provider> {
        let beside = |provider: Provider| {
            let name = format!("onnxruntime_providers_{provider}");
            let names =
                [format!("lib{name}.so"), format!("lib{name}.dylib"), format!("{name}.dll")];
            names.into_iter().any(|name| self.path.with_file_name(name).is_file())
        };
        let has = |&provider: &Provider| provider == Provider::Cpu || beside(provider);
        Provider::ALL.into_iter().filter(has).collect()
    }
}

/// The folders in `cache` with a runtime for this provider, newest version first.
pub fn installed(cache: &Path, provider: Provider) -> Vec<PathBuf> {
    let prefix = format!("{provider}-");
    let mut folders: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(cache)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(&prefix)?;
            let numbers = version.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            Some((numbers, entry.path()))
        })
        .collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, path)| path).collect()
}

/// Finds the library that `place` is or contains.
pub fn library_at(place: &Path) -> Option<PathBuf> {
    if place.is_file() {
        return Some(place.to_owned());
    }
    let mut libraries: Vec<PathBuf> = std::fs::read_dir(place)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && has_library_name(path))
        .collect();
    libraries.sort();
    libraries.into_iter().next()
}

/// Whether a file has the name of ONNX Runtime's library on any system: `libonnxruntime.so.1.31.1`,
/// `libonnxruntime.1.31.1.dylib`, `onnxruntime.dll`.
fn has_library_name(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let versioned = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.');
    name.strip_prefix("libonnxruntime.so").is_some_and(versioned)
        || name
            .strip_prefix("libonnxruntime")
            .and_then(|n| n.strip_suffix("dylib"))
            .is_some_and(versioned)
        || name == "onnxruntime.dll"
}

impl fmt::Display for LibraryOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LibraryOrigin::Flag => "named by --runtime",
            LibraryOrigin::Environment => "named by STEMWIRE_RUNTIME",
            LibraryOrigin::Beside => "beside the binary",
            LibraryOrigin::Cache => "installed by `stemwire runtime install`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        let path = folder.join("libonnxruntime.so.1.31.1");
        std::fs::write(&path, "").unwrap();
        std::fs::write(folder.join("libonnxruntime_providers_shared.so"), "").unwrap();
        path
    }

    #[test]
    fn the_order_is_flag_environment_beside_cache() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let mut search = LibrarySearch {
            flag: Some(library(&at("flag"))),
            environment: Some(at("environment")),
            beside: Some(at("beside")),
            cache: Some(at("cache")),
        };
        library(&at("environment"));
        library(&at("beside"));
        library(&at("cache/cpu-1.31.1"));
        for (origin, folder) in [
            (LibraryOrigin::Flag, "flag"),
            (LibraryOrigin::Environment, "environment"),
            (LibraryOrigin::Beside, "beside"),
            (LibraryOrigin::Cache, "cache/cpu-1.31.1"),
        ] {
            let path = at(folder).join("libonnxruntime.so.1.31.1");
            assert_eq!(search.find().unwrap(), FoundLibrary { path, origin });
            match origin {
                LibraryOrigin::Flag => search.flag = None,
                LibraryOrigin::Environment => search.environment = None,
                LibraryOrigin::Beside => search.beside = None,
                LibraryOrigin::Cache => search.cache = None,
            }
        }
    }

    #[test]
    fn a_named_library_is_not_replaced_and_every_path_is_reported() {
        let root = tempfile::tempdir().unwrap();
        library(&root.path().join("beside"));
        let mut search = LibrarySearch {
            flag: Some(root.path().join("nowhere.so")),
            beside: Some(root.path().join("beside")),
            ..LibrarySearch::default()
        };
        let error = search.find().unwrap_err().to_string();
        assert!(error.contains("nowhere.so") && error.contains("--runtime"), "{error}");
        search = LibrarySearch {
            beside: Some(root.path().join("empty")),
            cache: Some(root.path().join("cache")),
            ..LibrarySearch::default()
        };
        let error = search.find().unwrap_err().to_string();
        assert!(error.contains("empty") && error.contains("cache"), "{error}");
    }

    #[test]
    fn newer_versions_and_the_cpu_runtime_come_first() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["openvino-1.40.0", "cpu-1.9.0", "cpu-1.31.1", "cpu-part"] {
            library(&root.path().join(folder));
        }
        let search =
            LibrarySearch { cache: Some(root.path().to_owned()), ..LibrarySearch::default() };
        let places: Vec<_> = search.places().into_iter().map(|(_, path)| path).collect();
        let names = ["cpu-1.31.1", "cpu-1.9.0", "openvino-1.40.0"];
        assert_eq!(places, names.map(|name| root.path().join(name)));
    }

    #[test]
    fn the_newest_of_each_installed_build_is_found() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["openvino-1.24.1", "cpu-1.9.0", "cpu-1.31.1"] {
            library(&root.path().join(folder));
        }
        let openvino = root.path().join("openvino-1.24.1/libonnxruntime_providers_openvino.so");
        std::fs::write(openvino, "").unwrap();
        let mut search =
            LibrarySearch { cache: Some(root.path().to_owned()), ..LibrarySearch::default() };
        let found = search.libraries().unwrap();
        let folders = found.iter().map(|found| found.path.parent().unwrap().to_owned());
        let folders: Vec<_> = folders.collect();
        assert_eq!(folders, ["cpu-1.31.1", "openvino-1.24.1"].map(|name| root.path().join(name)));
        assert_eq!(found[0].providers(), [Provider::Cpu]);
        assert_eq!(found[1].providers(), [Provider::Cpu, Provider::Openvino]);
        search.flag = Some(root.path().join("cpu-1.9.0"));
        let named = search.libraries().unwrap();
        assert_eq!(named.len(), 1, "a named library is not replaced");
        assert_eq!(named[0].origin, LibraryOrigin::Flag);
    }
}
