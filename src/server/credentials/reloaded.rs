//! A value from files that is read again when they change.
//!
//! Whether they have changed is decided by their contents, once a round: modification times and notifications miss some
//! ways to replace a file (renames, symbolic links to another folder, network file systems), and the files are small.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::CredentialError;
use super::files::{CredentialFile, Digested, can_others_read};

/// The value in use.
pub(super) struct Reloaded<T, const FILES: usize> {
    current: RwLock<Arc<T>>,
    source: Option<ReloadSource<T, FILES>>,
}

struct ReloadSource<T, const FILES: usize> {
    /// The last one is secret.
    paths: [PathBuf; FILES],
    parse: Parse<T, FILES>,
    looks: Mutex<Looks<FILES>>,
}

/// Makes the value of its files.
type Parse<T, const FILES: usize> = fn(&[CredentialFile; FILES]) -> Result<T, CredentialError>;

/// What the files were like.
struct Looks<const FILES: usize> {
    /// When they were last parsed, with success or without.
    parsed: [Digested; FILES],
    /// At the last look.
    last: [Digested; FILES],
}

impl<T, const FILES: usize> Reloaded<T, FILES> {
    /// A value that stays.
    pub(super) fn fixed(value: T) -> Reloaded<T, FILES> {
        Reloaded { current: RwLock::new(Arc::new(value)), source: None }
    }

    /// Reads the value for the first time.
    ///
    /// # Errors
    /// Those of `parse`.
    pub(super) fn read(
        paths: [PathBuf; FILES],
        parse: Parse<T, FILES>,
    ) -> Result<Reloaded<T, FILES>, CredentialError> {
        let files = paths.each_ref().map(|path| CredentialFile::read(path));
        let value = parse(&files)?;
        warn_of_readers(&paths);
        // A pipe can be read once only.
        let is_watched = paths.iter().all(|path| path.is_file());
        let seen = files.each_ref().map(CredentialFile::digested);
        let looks = Mutex::new(Looks { parsed: seen, last: seen });
        let source = is_watched.then_some(ReloadSource { paths, parse, looks });
        Ok(Reloaded { current: RwLock::new(Arc::new(value)), source })
    }

    /// The value in use.
    pub(super) fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it is read again when its files change.
    pub(super) fn is_watched(&self) -> bool {
        self.source.is_some()
    }

    /// Reads the value again if the files have changed since they were last parsed; `None` if they have not. On errors the
    /// value in use stays. Unless `at_once`, a change counts when the next look finds the same.
    pub(super) fn reload(&self, at_once: bool) -> Option<Result<(), CredentialError>> {
        let ReloadSource { paths, parse, looks } = self.source.as_ref()?;
        let files = paths.each_ref().map(|path| CredentialFile::read(path));
        let seen = files.each_ref().map(CredentialFile::digested);
        let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_settled = at_once || seen == looks.last;
        looks.last = seen;
        if seen == looks.parsed || !is_settled {
            return None;
        }
        looks.parsed = seen;
        let parsed = parse(&files).map(|value| {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
            warn_of_readers(paths);
        });
        Some(parsed)
    }
}

fn warn_of_readers(paths: &[PathBuf]) {
    if let Some(secret) = paths.last().filter(|path| can_others_read(path)) {
        let file = secret.display();
        tracing::warn!(%file, "all users of this machine can read this secret; remove their permission (chmod o-r)");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn length([file]: &[CredentialFile; 1]) -> Result<usize, CredentialError> {
        match file.bytes("file")? {
            b"broken" => Err(CredentialError::NoTokens { path: file.path.clone() }),
            bytes => Ok(bytes.len()),
        }
    }

    #[test]
    fn a_change_counts_once_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1").unwrap();
        let value = Reloaded::read([path.clone()], length).unwrap();
        assert!(value.reload(false).is_none());
        fs::write(&path, "22").unwrap();
        assert!(value.reload(false).is_none());
        fs::write(&path, "333").unwrap();
        assert!(value.reload(false).is_none() && *value.current() == 1);
        assert!(value.reload(false).unwrap().is_ok() && *value.current() == 3);
        fs::write(&path, "4444").unwrap();
        assert!(value.reload(true).unwrap().is_ok() && *value.current() == 4);
        assert!(value.reload(true).is_none());
    }

    #[test]
    fn broken_files_leave_the_value_and_are_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1").unwrap();
        let value = Reloaded::read([path.clone()], length).unwrap();
        fs::write(&path, "broken").unwrap();
        assert!(value.reload(true).unwrap().is_err());
        assert!(value.reload(true).is_none());
        fs::remove_file(&path).unwrap();
        assert!(value.reload(true).unwrap().is_err());
        assert_eq!(*value.current(), 1);
        // What is in use was not what was parsed last.
        fs::write(&path, "1").unwrap();
        assert!(value.reload(true).unwrap().is_ok());
    }
}
