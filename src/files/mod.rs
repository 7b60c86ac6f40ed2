//! Free and allocated space, shortages, files with holes, files that a crash leaves whole, and scratch directories.

mod access;
mod atomic;
mod scratch;
mod shortage;
mod sparse;

use std::fs::Metadata;
use std::path::Path;

pub use access::check_writable;
pub use atomic::{
    part_path, publish, publish_new, remove_unfinished, replace, sync_directory, write_synced,
};
pub(crate) use scratch::ScratchDir;
pub use shortage::Shortage;
pub use sparse::append_sparse;

/// Bytes that a file takes on the disk; its length where the system does not count blocks.
pub fn allocated_bytes(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        /// The unit of `st_blocks`, whatever the file system's own.
        const BLOCK: u64 = 512;
        std::os::unix::fs::MetadataExt::blocks(metadata) * BLOCK
    }
    #[cfg(not(unix))]
    metadata.len()
}

/// Bytes free for this process on the disk that holds `path`; `None` where the system does not report them.
pub fn free_bytes(path: &Path) -> Option<u64> {
    fs4::available_space(path).ok()
}
