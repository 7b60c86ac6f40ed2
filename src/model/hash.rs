//! SHA-256 hashes.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 hash; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hash(pub [u8; 32]);

impl Sha256Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Sha256Hash {
        Sha256Hash(Sha256::digest(bytes).into())
    }

    /// The hash of the file at `path`.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub fn of_file(path: &Path) -> io::Result<Sha256Hash> {
        Sha256Hash::of_reader(File::open(path)?)
    }

    /// The hash of everything that `reader` yields.
    ///
    /// # Errors
    /// I/O errors of `reader`.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Sha256Hash> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(Sha256Hash(hasher.finalize().into())),
                count => hasher.update(&buffer[..count]),
            }
        }
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a SHA-256 hash of 64 hexadecimal digits")]
pub struct BadHash(String);

impl FromStr for Sha256Hash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Sha256Hash, BadHash> {
        let mut hash = [0; 32];
        match base16ct::mixed::decode(text, &mut hash) {
            Ok(bytes) if bytes.len() == 32 => Ok(Sha256Hash(hash)),
            _ => Err(BadHash(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for Sha256Hash {
    type Error = BadHash;

    fn try_from(text: String) -> Result<Sha256Hash, BadHash> {
        text.parse()
    }
}

impl From<Sha256Hash> for String {
    fn from(hash: Sha256Hash) -> String {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_hash_is_the_published_one() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256Hash::of(b"").to_string(), empty);
        assert_eq!(Sha256Hash::of_reader(&b""[..]).unwrap(), empty.parse().unwrap());
        for bad in ["", "e3b0", &"g".repeat(64), &"+f".repeat(32), &"é".repeat(32), &"0".repeat(66)]
        {
            assert!(bad.parse::<Sha256Hash>().is_err(), "{bad:?} passed");
        }
    }
}
