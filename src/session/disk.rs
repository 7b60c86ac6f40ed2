//! How much room there is.

use std::path::Path;

/// Bytes free for this process on the disk that holds `path`; `None` where the system does not tell.
pub fn free_bytes(path: &Path) -> Option<u64> {
    fs4::available_space(path).ok()
}
