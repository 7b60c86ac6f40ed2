//! Which FFmpeg decodes what this program does not read.

use std::convert::Infallible;
use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which FFmpeg decodes what this program does not read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum FfmpegChoice {
    /// The first `ffmpeg` on the search path, if there is one.
    #[default]
    Auto,
    /// None.
    Never,
    /// This program.
    Program(PathBuf),
}

impl FfmpegChoice {
    /// The program: an absolute path without links. `None` if there is none, or this system cannot confine and start it.
    ///
    /// # Errors
    /// The named program does not exist or is no program.
    pub fn find(&self) -> io::Result<Option<PathBuf>> {
        match self {
            FfmpegChoice::Auto => Ok(on_path(env::var_os("PATH").unwrap_or_default().as_os_str())),
            FfmpegChoice::Never => Ok(None),
            FfmpegChoice::Program(_) if !cfg!(unix) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no such decoder"))
            }
            FfmpegChoice::Program(path) => check(path).map(Some),
        }
    }
}

impl FromStr for FfmpegChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<FfmpegChoice, Infallible> {
        Ok(match text {
            "auto" => FfmpegChoice::Auto,
            "never" => FfmpegChoice::Never,
            path => FfmpegChoice::Program(path.into()),
        })
    }
}

impl fmt::Display for FfmpegChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FfmpegChoice::Auto => f.write_str("auto"),
            FfmpegChoice::Never => f.write_str("never"),
            FfmpegChoice::Program(path) => path.display().fmt(f),
        }
    }
}

/// The first `ffmpeg` in these folders. Relative ones depend on the working folder and are left out.
fn on_path(folders: &OsStr) -> Option<PathBuf> {
    if !cfg!(unix) {
        return None;
    }
    let mut folders = env::split_paths(folders).filter(|folder| folder.is_absolute());
    folders.find_map(|folder| check(&folder.join("ffmpeg")).ok())
}

/// The path without links, if it is a file that can be executed.
fn check(path: &Path) -> io::Result<PathBuf> {
    let path = path.canonicalize()?;
    let metadata = path.metadata()?;
    #[cfg(unix)]
    let is_executable = {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o111 != 0
    };
    #[cfg(not(unix))]
    let is_executable = true;
    if metadata.is_file() && is_executable {
        Ok(path)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is no program"))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn the_first_program_of_that_name_is_found_behind_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for name in ["a", "b", "c"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("a/ffmpeg"), "no program").unwrap();
        fs::write(at("c/real"), "").unwrap();
        fs::set_permissions(at("c/real"), fs::Permissions::from_mode(0o755)).unwrap();
        let folders = |names: &[&str]| env::join_paths(names.iter().map(|name| at(name))).unwrap();
        assert_eq!(on_path(&folders(&["a", "b", "c"])), None);
        symlink(at("c/real"), at("b/ffmpeg")).unwrap();
        assert_eq!(on_path(&folders(&["a", "b", "c"])), Some(at("c/real")));
        assert_eq!(on_path(OsStr::new("b:.:")), None);
        let named = FfmpegChoice::from_str(at("b/ffmpeg").to_str().unwrap()).unwrap();
        assert_eq!(named.find().unwrap(), Some(at("c/real")));
        assert!(FfmpegChoice::Program(at("a/ffmpeg")).find().is_err());
    }
}
