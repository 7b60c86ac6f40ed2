//! A folder for what is being made, beside where it shall be.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder on the same file system as the final one; removed with what is left in it.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// An empty folder in `parent` for the making of `name`. Its own name begins with a dot and ends in
    /// `.part`, and is never taken for a finished thing.
    pub(crate) fn new(parent: &Path, name: &str) -> io::Result<Scratch> {
        let folder = parent.join(format!(".{name}.{}.part", std::process::id()));
        // The rest of an earlier process with this number.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        Ok(Scratch { folder })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may have got its final name; and what cannot be removed is taken for nothing.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
