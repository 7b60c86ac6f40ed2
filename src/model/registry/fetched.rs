//! Files that are fetched from elsewhere: they get their names once they are verified.

use std::fs::{self, File};
use std::io::Seek;
use std::path::{Path, PathBuf};

use super::RegistryError;
use super::file::{hash_of, publish};
use crate::files::part_path;
use crate::model::Sha256Hash;

/// Progress of a download or an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadStep<'a> {
    /// A file is being downloaded.
    Fetching {
        /// Its name.
        file: &'a str,
        /// Bytes received so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The hash of a file is being computed.
    Verifying {
        /// Its name.
        file: &'a str,
    },
}

/// What [`fetch_verified`] fetches.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileToInstall<'a> {
    /// The folder in which it is wanted.
    pub(super) folder: &'a Path,
    pub(super) file: &'a str,
    pub(super) sha256: Sha256Hash,
}

/// Writes the rest of a file; reports the bytes that are there, and those in all.
pub(super) type Fetch<'a> =
    dyn FnMut(&mut PartialFile, &mut dyn FnMut(u64, u64)) -> Result<(), RegistryError> + 'a;

/// Fetches a file, unless it is there. `fetch` may continue after the bytes that an earlier attempt has left; `wrong` is the error of
/// what was found instead.
pub(super) fn fetch_verified(
    wanted: FileToInstall<'_>,
    fetch: &mut Fetch<'_>,
    wrong: &dyn Fn(Sha256Hash) -> RegistryError,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<(), RegistryError> {
    let FileToInstall { folder, file, sha256 } = wanted;
    let path = folder.join(file);
    if path.is_file() {
        progress(DownloadStep::Verifying { file });
        if hash_of(&path)? == sha256 {
            return Ok(());
        }
    }
    let mut partial = PartialFile::open(part_path(&path))?;
    let mut resumed = partial.length()? > 0;
    loop {
        fetch(&mut partial, &mut |bytes, total| {
            progress(DownloadStep::Fetching { file, bytes, total });
        })?;
        progress(DownloadStep::Verifying { file });
        let found = partial.hash()?;
        if found == sha256 {
            return publish(&partial.path, &path);
        }
        // After a resumed download the earlier part may be wrong, so one complete download is tried.
        if !std::mem::take(&mut resumed) {
            fs::remove_file(&partial.path).map_err(RegistryError::io(&partial.path))?;
            return Err(wrong(found));
        }
        partial.file.set_len(0).map_err(RegistryError::io(&partial.path))?;
    }
}

/// A file until it is verified. No other process writes it meanwhile.
pub(super) struct PartialFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl PartialFile {
    /// Opens it, with what an earlier attempt has left, and locks it.
    fn open(path: PathBuf) -> Result<PartialFile, RegistryError> {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.map_err(RegistryError::io(&path))?;
        match file.try_lock() {
            // Between the two calls, the process with the lock may have published the file.
            Ok(()) if !is_at(&file, &path) => Err(RegistryError::Busy { path }),
            Err(fs::TryLockError::WouldBlock) => Err(RegistryError::Busy { path }),
            // Some file systems have no locks. Two processes at once then fail the verification.
            Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(PartialFile { path, file }),
        }
    }

    pub(super) fn length(&self) -> Result<u64, RegistryError> {
        Ok(self.file.metadata().map_err(RegistryError::io(&self.path))?.len())
    }

    fn hash(&mut self) -> Result<Sha256Hash, RegistryError> {
        let hash = self.file.rewind().and_then(|()| Sha256Hash::of_reader(&self.file));
        hash.map_err(RegistryError::io(&self.path))
    }
}

/// Whether the open file is still the one at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |data: fs::Metadata| (data.dev(), data.ino());
        let (opened, there) = (file.metadata().map(identity), path.metadata().map(identity));
        opened.is_ok_and(|opened| there.is_ok_and(|there| opened == there))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_writes_a_file_until_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.part");
        let is_busy =
            |opened: Result<PartialFile, _>| matches!(opened, Err(RegistryError::Busy { .. }));
        let first = PartialFile::open(path.clone()).unwrap();
        assert!(is_busy(PartialFile::open(path.clone())));
        drop(first);
        assert!(PartialFile::open(path.clone()).is_ok());
        // Opened by one while another publishes it.
        let opened = File::open(&path).unwrap();
        assert!(is_at(&opened, &path));
        fs::rename(&path, folder.path().join("file")).unwrap();
        assert!(!is_at(&opened, &path));
        fs::write(&path, "").unwrap();
        assert!(cfg!(not(unix)) || !is_at(&opened, &path), "another file of that name");
    }
}
