//! How much room there is, and files that a crash leaves whole.

pub(crate) mod scratch;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Bytes free for this process on the disk that holds `path`; `None` where the system does not tell.
pub fn free_bytes(path: &Path) -> Option<u64> {
    fs4::available_space(path).ok()
}

/// Replaces a file so that after a crash it has the old contents or the new ones.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = write_synced(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It would only take room that may be what is missing.
        let _ = fs::remove_file(&new);
    }
    written?;
    sync_directory(path.parent().unwrap_or(path))
}

/// Waits until the names in a directory are safely on the disk, where the system can do that.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
