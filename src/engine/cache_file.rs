//! Cache files of what was measured on this machine, `trials.toml` and `speeds.toml`.
//!
//! They have lists of entries, each under a name. Lists and entries of other versions are preserved.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use toml::{Table, Value};

use crate::files;

/// Most entries in a list; the oldest are removed first.
pub(super) const MAX_ENTRIES: usize = 256;

/// The entries of a list, the oldest first; none if the file is missing or no TOML.
pub(super) fn entries(file: &Path, list: &str) -> Vec<Value> {
    entries_of(&read(file), list)
}

/// Changes the entries of a list. Concurrent processes do not lose each other's changes.
///
/// # Errors
/// Those of `change`; the file cannot be written.
pub(super) fn update(
    file: &Path,
    list: &str,
    change: impl FnOnce(&mut Vec<Value>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let _lock = lock(folder);
    let mut table = read(file);
    let mut entries = entries_of(&table, list);
    change(&mut entries)?;
    let surplus = entries.len().saturating_sub(MAX_ENTRIES);
    entries.drain(..surplus);
    table.insert(list.to_owned(), Value::Array(entries));
    let text = toml::to_string(&table).map_err(io::Error::other)?;
    files::replace(file, text.as_bytes())
}

/// Waits for the lock that serialises reading and replacing the file, so that concurrent processes do not lose each
/// other's entries. Gives up after ten seconds: then an entry may be lost, which is measured again.
fn lock(folder: &Path) -> Option<File> {
    const PAUSE: Duration = Duration::from_millis(20);
    const PAUSES: usize = 500;
    let lock = File::create(folder.join(".trials.lock")).ok()?;
    for _ in 0..PAUSES {
        match lock.try_lock() {
            Ok(()) => return Some(lock),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(_)) => break,
        }
    }
    None
}

fn entries_of(table: &Table, list: &str) -> Vec<Value> {
    table.get(list).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The content of the file; empty if it is missing or no TOML.
fn read(file: &Path) -> Table {
    fs::read_to_string(file).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}
