//! Files and directories that appear whole or not at all, also after a crash.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of a file's new contents while [`replace`] writes them: this, the file's own name, random letters, the suffix.
const UNFINISHED_PREFIX: &str = ".";
const UNFINISHED_SUFFIX: &str = ".new";

/// Replaces a file atomically: readers and a crash see the old contents or the new ones. Concurrent writers do not
/// disturb each other; the last one wins.
///
/// # Errors
/// I/O errors of the file's directory. The old contents are kept.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let mut prefix = OsStr::new(UNFINISHED_PREFIX).to_owned();
    prefix.push(path.file_name().unwrap_or_default());
    let mut new = tempfile::Builder::new();
    new.prefix(&prefix).suffix(UNFINISHED_SUFFIX);
    // Opened here: the crate gives its errors a path and loses the system's code, and it sets other permissions.
    let mut new = new.make_in(folder, |path| File::create_new(path))?;
    new.as_file_mut().write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    sync_directory(folder)
}

/// Removes what a crash during [`replace`] left in a directory. Only for a directory in which no file is being replaced.
///
/// # Errors
/// I/O errors of the directory.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(UNFINISHED_PREFIX) && name.ends_with(UNFINISHED_SUFFIX) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The name of a file or directory until it is complete: with `.part` behind it.
pub fn part_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Gives a complete file or directory its final name.
///
/// # Errors
/// I/O errors of the directory.
pub fn publish(part: &Path, path: &Path) -> io::Result<()> {
    fs::rename(part, path)?;
    sync_directory(folder_of(path))
}

/// Gives a complete file its final name, unless there is a file of that name. It is then removed.
///
/// # Errors
/// `AlreadyExists`; I/O errors of the directory.
pub fn publish_new(part: &Path, path: &Path) -> io::Result<()> {
    let part = tempfile::TempPath::try_from_path(part)?;
    part.persist_noclobber(path).map_err(|error| error.error)?;
    sync_directory(folder_of(path))
}

/// Writes a file and waits until its contents are on the disk.
///
/// # Errors
/// I/O errors of the file.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the names in a directory are on the disk, on systems that can do that.
///
/// # Errors
/// I/O errors of the directory.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["long contents", "short"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn only_what_an_interrupted_replacement_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let names_before = [".file.a1B2c3.new", ".hidden", "file", "song.new"];
        for name in names_before {
            fs::write(folder.path().join(name), "contents").unwrap();
        }
        remove_unfinished(folder.path()).unwrap();
        assert_eq!(names(folder.path()), names_before[1..]);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"contents").is_err());
        assert!(path.is_dir());
        assert_eq!(names(folder.path()), ["name"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_replaced_file_has_the_permissions_of_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, any) = (folder.path().join("file"), folder.path().join("any"));
        replace(&path, b"").unwrap();
        fs::write(&any, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&any));
    }
}
