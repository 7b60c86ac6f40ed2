//! Installs the library of a published wheel into the user's cache.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::RuntimeError;
use super::locate::library_at;
use super::wheel::Wheel;
use crate::engine::Provider;
use crate::files::ScratchDir;
use crate::model::Sha256Hash;
use crate::process::SECRET_VARIABLES;

/// Progress of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallStep {
    /// The wheel is being downloaded.
    Fetching {
        /// Bytes received so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The hash is being computed.
    Verifying,
    /// Libraries are being written.
    Unpacking,
}

/// Installs the provider's wheel for this machine into a folder in `cache` and returns the library.
///
/// The wheel is downloaded with pip, or read from the file `from`; its hash must be the pinned one. The folder appears
/// complete or not at all.
///
/// # Errors
/// All of [`RuntimeError`] but `NotFound` and `NotLoadable`.
pub fn install(
    provider: Provider,
    from: Option<&Path>,
    cache: &Path,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<PathBuf, RuntimeError> {
    let wheel = pinned(provider)?;
    let target = cache.join(wheel.folder_name());
    if from.is_none()
        && let Some(library) = library_at(&target)
    {
        // It was verified when it was installed.
        return Ok(library);
    }
    fs::create_dir_all(cache).map_err(RuntimeError::io(cache))?;
    let scratch = ScratchDir::new(cache, &wheel.folder_name()).map_err(RuntimeError::io(cache))?;
    let file = match from {
        Some(file) => file.to_owned(),
        None => fetch(wheel, scratch.path(), progress)?,
    };
    progress(InstallStep::Verifying);
    verify(&file, wheel)?;
    progress(InstallStep::Unpacking);
    let unpacked = scratch.path().join("unpacked");
    unpack(&file, &unpacked)?;
    if library_at(&target).is_none() {
        // A folder without a library is left over from a removal. The result of a concurrent installation is kept.
        let _ = fs::remove_dir_all(&target);
        match fs::rename(&unpacked, &target) {
            Err(error) if library_at(&target).is_none() => {
                return Err(RuntimeError::io(&target)(error));
            }
            _ => {}
        }
    }
    library_at(&target).ok_or_else(|| RuntimeError::Unpack {
        path: file,
        reason: "it has no ONNX Runtime library".into(),
    })
}

/// Finds the wheel of this provider for this machine.
///
/// # Errors
/// [`RuntimeError::NoWheel`].
pub fn pinned(provider: Provider) -> Result<&'static Wheel, RuntimeError> {
    Wheel::for_this_machine().find(|wheel| wheel.provider == provider).ok_or_else(|| {
        let known: Vec<_> = Wheel::for_this_machine().map(|w| w.provider.to_string()).collect();
        RuntimeError::NoWheel {
            provider,
            target: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
            known: if known.is_empty() { "none".into() } else { known.join(", ") },
        }
    })
}

fn verify(file: &Path, wheel: &Wheel) -> Result<(), RuntimeError> {
    let found = Sha256Hash::of_file(file).map_err(RuntimeError::io(file))?.to_string();
    if found == wheel.sha256 {
        return Ok(());
    }
    Err(RuntimeError::Hash {
        path: file.to_owned(),
        file: wheel.file_name(),
        expected: wheel.sha256.to_owned(),
        found,
    })
}

/// Unpacks the native libraries and licences of a wheel into `folder`, without subfolders.
fn unpack(file: &Path, folder: &Path) -> Result<(), RuntimeError> {
    let broken = |reason: String| RuntimeError::Unpack { path: file.to_owned(), reason };
    fs::create_dir_all(folder).map_err(RuntimeError::io(folder))?;
    let reader = File::open(file).map_err(RuntimeError::io(file))?;
    let mut archive = zip::ZipArchive::new(reader).map_err(|e| broken(e.to_string()))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| broken(e.to_string()))?;
        let Some(path) = entry.enclosed_name() else { continue };
        let Some(name) = path.file_name().filter(|_| entry.is_file() && is_wanted(&path)) else {
            continue;
        };
        let target = folder.join(name);
        let mut output = File::create(&target).map_err(RuntimeError::io(&target))?;
        io::copy(&mut entry, &mut output).map_err(|e| broken(e.to_string()))?;
        output.sync_all().map_err(RuntimeError::io(&target))?;
    }
    Ok(())
}

/// Whether a file of the wheel is needed: libraries without the Python bindings, and licences.
fn is_wanted(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let library = name.ends_with(".dll") || name.contains(".so") || name.ends_with(".dylib");
    let in_capi = path.starts_with("onnxruntime/capi");
    (in_capi && library && !name.contains("pybind11"))
        || matches!(name, "LICENSE" | "ThirdPartyNotices.txt")
}

/// Downloads the wheel with pip into `folder`.
fn fetch(
    wheel: &Wheel,
    folder: &Path,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<PathBuf, RuntimeError> {
    let failed = |reason: String| RuntimeError::Fetch { file: wheel.file_name(), reason };
    let log_path = folder.join("pip.log");
    let log = File::create(&log_path).map_err(RuntimeError::io(&log_path))?;
    let arguments = [
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
        "--no-cache-dir",
        "--progress-bar=off",
        "--implementation=cp",
        "--python-version=3.12",
        "--abi=cp312",
        "--platform",
        wheel.platform,
        "--dest",
    ];
    let requirement = format!("{}=={}", wheel.package, wheel.version);
    // pip downloads into its temporary folder, where the progress can be measured.
    let start = |program: &str, before: &[&str]| {
        let mut pip = Command::new(program);
        for secret in SECRET_VARIABLES {
            pip.env_remove(secret);
        }
        pip.args(before)
            .args(arguments)
            .arg(folder)
            .arg(&requirement)
            .env("TMPDIR", folder)
            .env("TEMP", folder)
            .env("TMP", folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .spawn()
    };
    let ways: [(&str, &[&str]); 5] = [
        ("python3", &["-m", "pip"]),
        ("python", &["-m", "pip"]),
        ("py", &["-m", "pip"]),
        ("pip3", &[]),
        ("pip", &[]),
    ];
    let mut reason = "neither Python with pip nor pip is on the PATH".to_owned();
    for (program, before) in ways {
        let Ok(child) = start(program, before) else { continue };
        if wait(child, folder, wheel, progress).map_err(RuntimeError::io(folder))? {
            let file = folder.join(wheel.file_name());
            if file.is_file() {
                return Ok(file);
            }
        }
        let text = fs::read_to_string(&log_path).unwrap_or_default();
        let errors: Vec<&str> = text.lines().filter(|line| line.contains("rror")).collect();
        let last = errors.last().copied().or(text.lines().last()).unwrap_or("no output");
        reason = format!("{program}: {}", last.trim());
        // Another Python may have pip. Other failures would repeat.
        if !text.contains("No module named pip") {
            break;
        }
    }
    Err(failed(reason))
}

/// Waits for pip and reports the progress of the download.
fn wait(
    mut child: Child,
    folder: &Path,
    wheel: &Wheel,
    progress: &mut dyn FnMut(InstallStep),
) -> io::Result<bool> {
    const POLL_INTERVAL: Duration = Duration::from_millis(100);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        let bytes = largest_file(folder, 2).min(wheel.bytes);
        progress(InstallStep::Fetching { bytes, total: wheel.bytes });
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn largest_file(folder: &Path, depth: usize) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() && depth > 0 => largest_file(&entry.path(), depth - 1),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(size).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_and_licences_are_unpacked() {
        for wanted in [
            "onnxruntime/capi/libonnxruntime.so.1.31.1",
            "onnxruntime/capi/libopenvino_c.so.2541",
            "onnxruntime/capi/onnxruntime.dll",
            "onnxruntime/ThirdPartyNotices.txt",
        ] {
            assert!(is_wanted(Path::new(wanted)), "{wanted}");
        }
        for unwanted in [
            "onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so",
            "onnxruntime/__init__.py",
            "elsewhere/libevil.so",
        ] {
            assert!(!is_wanted(Path::new(unwanted)), "{unwanted}");
        }
    }

    #[test]
    fn a_file_with_another_hash_is_refused_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("wheel.whl");
        fs::write(&file, "not a wheel").unwrap();
        let cache = root.path().join("cache");
        let error = install(Provider::Cpu, Some(&file), &cache, &mut |_| {}).unwrap_err();
        let expected = pinned(Provider::Cpu).unwrap().sha256;
        assert!(matches!(&error, RuntimeError::Hash { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
    }
}
