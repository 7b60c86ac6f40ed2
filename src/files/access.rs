//! Whether files can be created in a folder.

use std::io;
use std::path::Path;

/// Checks that this process may create files in the folder `path`. It creates none.
///
/// # Errors
/// I/O errors: the folder does not exist, is a file, or is on a disk that has become read-only.
pub fn check_writable(path: &Path) -> io::Result<()> {
    let metadata = path.metadata()?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        access(path, Access::WRITE_OK | Access::EXEC_OK)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_gone_or_a_file_is_not_writable() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_writable(folder.path()).is_ok());
        let gone = check_writable(&folder.path().join("gone")).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(check_writable(&file).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }
}
