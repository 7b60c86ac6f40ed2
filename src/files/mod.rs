//! Free space, files that a crash leaves whole, and scratch directories.

mod atomic;
mod scratch;

use std::path::Path;

pub use atomic::{part_path, publish, replace, sync_directory, write_synced};
pub(crate) use scratch::ScratchDir;

/// Bytes free for this process on the disk that holds `path`; `None` where the system does not report them.
pub fn free_bytes(path: &Path) -> Option<u64> {
    fs4::available_space(path).ok()
}
