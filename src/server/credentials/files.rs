//! Files of credentials, as bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::CredentialError;

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A file as read.
pub(super) struct CredentialFile {
    pub(super) path: PathBuf,
    bytes: io::Result<Vec<u8>>,
}

/// The contents of a file without the contents: a hash, or why it cannot be read.
pub(super) type Digested = Result<[u8; 32], io::ErrorKind>;

impl CredentialFile {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> CredentialFile {
        CredentialFile { path: path.to_owned(), bytes: contents(path) }
    }

    /// Its contents.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`].
    pub(super) fn bytes(&self, expected: &'static str) -> Result<&[u8], CredentialError> {
        match &self.bytes {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                let source = io::Error::new(error.kind(), error.to_string());
                Err(CredentialError::Unreadable { path: self.path.clone(), expected, source })
            }
        }
    }

    /// Its contents, which must have a `label`, such as `CERTIFICATE`.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`], [`CredentialError::NoPem`].
    pub(super) fn pem(&self, label: &'static str) -> Result<&[u8], CredentialError> {
        let bytes = self.bytes("PEM file")?;
        let text = String::from_utf8_lossy(bytes);
        let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains(label);
        if text.lines().any(begins) {
            return Ok(bytes);
        }
        Err(CredentialError::NoPem { path: self.path.clone(), label })
    }

    pub(super) fn digested(&self) -> Digested {
        match &self.bytes {
            Ok(bytes) => Ok(Sha256::digest(bytes).into()),
            Err(error) => Err(error.kind()),
        }
    }
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("it is longer than {MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// Reads a PEM file that contains at least one `label`, such as `CERTIFICATE`.
///
/// # Errors
/// [`CredentialError::Unreadable`], [`CredentialError::NoPem`].
pub(crate) fn read_pem(path: &Path, label: &'static str) -> Result<Vec<u8>, CredentialError> {
    CredentialFile::read(path).pem(label).map(<[u8]>::to_vec)
}

/// Whether all users of this machine can read a file. `false` where the system has no such permissions.
pub(crate) fn can_others_read(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        const OTHERS_READ: u32 = 0o004;
        path.metadata().is_ok_and(|found| found.permissions().mode() & OTHERS_READ != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
