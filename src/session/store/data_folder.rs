//! Who has a data directory: one process, for one replica.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::files;
use crate::session::SessionId;

/// How long a data directory that is in use is tried again. A child process that a killed server was starting has the lock
/// until its own program runs.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Checks that a data directory is the cache of this replica, of whose name it keeps a file.
pub(super) fn check_identity(file: &Path, identity: &str) -> io::Result<()> {
    match fs::read_to_string(file) {
        Ok(known) if known == identity => Ok(()),
        Ok(_) => {
            let text =
                "the data folder is the cache of another object store, or this one was emptied";
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::replace(file, identity.as_bytes())
        }
        Err(error) => Err(error),
    }
}

/// The name of a data directory among those of a cluster, which is made up at the first start.
pub(super) fn node_name(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Ok(name) if !name.is_empty() => Ok(name),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            let name = SessionId::random().to_string();
            files::replace(file, name.as_bytes())?;
            Ok(name)
        }
    }
}

/// Locks a file, and tries again for `patience` while another process has it. Returns `false` if that is not
/// enough.
pub(super) fn lock_for(file: &File, patience: Duration) -> io::Result<bool> {
    let end = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) if Instant::now() >= end => return Ok(false),
            Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
        }
    }
}
