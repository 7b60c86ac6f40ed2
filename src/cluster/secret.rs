//! The secret that gateways and workers share: a call that carries it is one of theirs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ring::hmac;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The shortest secret that is accepted, in characters: it opens every session, so it must not be guessed.
pub const MIN_SECRET_CHARS: usize = 32;

/// Limit of secrets in a file. Each call is compared with all of them.
const MAX_SECRETS: usize = 16;

/// The longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The secret of a cluster. While it is replaced, there are several: the first one is sent, each of them is accepted.
#[derive(Clone)]
pub struct ClusterSecret {
    sent: String,
    /// SHA-256 hashes.
    accepted: Vec<[u8; 32]>,
}

/// Error of a secret. None shows it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system error.
        source: io::Error,
    },
    /// A file has no secret.
    #[error("{} contains no cluster secret", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A secret could be guessed.
    #[error("a cluster secret has fewer than {MIN_SECRET_CHARS} characters and could be guessed")]
    TooShort,
    /// A secret cannot be sent.
    #[error("a cluster secret has a space or a character that is not printable ASCII")]
    NotPrintable,
    /// A file has too many secrets.
    #[error("{} contains more than {MAX_SECRETS} cluster secrets", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
    },
}

impl SecretError {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            SecretError::Unreadable { .. } => {
                "Name a text file with --cluster-secret-file that this user can read."
            }
            SecretError::TooMany { .. } => "Remove secrets that are no longer used.",
            SecretError::Missing { .. } | SecretError::TooShort | SecretError::NotPrintable => {
                "Make a secret with `openssl rand -hex 32`, and give the same one to all gateways and workers."
            }
        }
    }
}

impl ClusterSecret {
    /// The only secret.
    ///
    /// # Errors
    /// It is too short, or cannot be sent.
    pub fn new(secret: &str) -> Result<ClusterSecret, SecretError> {
        if secret.len() < MIN_SECRET_CHARS {
            return Err(SecretError::TooShort);
        }
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::NotPrintable);
        }
        Ok(ClusterSecret { sent: secret.to_owned(), accepted: vec![hash(secret.as_bytes())] })
    }

    /// The secrets in a file, one per line. Blank lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn read(path: &Path) -> Result<ClusterSecret, SecretError> {
        let path = || path.to_owned();
        let text =
            text_of(&path()).map_err(|source| SecretError::Unreadable { path: path(), source })?;
        let lines = text.lines().map(str::trim);
        let mut secrets = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = secrets.next().ok_or_else(|| SecretError::Missing { path: path() })?;
        let mut all = ClusterSecret::new(first)?;
        for secret in secrets {
            all.accepted.extend(ClusterSecret::new(secret)?.accepted);
        }
        match all.accepted.len() {
            ..=MAX_SECRETS => Ok(all),
            _ => Err(SecretError::TooMany { path: path() }),
        }
    }

    /// What is sent with a call: visible ASCII without spaces.
    pub fn sent(&self) -> &str {
        &self.sent
    }

    /// Whether a call carries the secret, in a time that does not depend on where it differs.
    pub fn accepts(&self, given: &[u8]) -> bool {
        let given = hash(given);
        let compare = |found: Choice, valid: &[u8; 32]| found | given.ct_eq(valid);
        self.accepted.iter().fold(Choice::from(0), compare).into()
    }

    /// The tag of a message (HMAC-SHA256), by which those with the secret recognise that it is of one of them. `purpose` keeps
    /// messages of one kind from being taken for another.
    pub(super) fn tag(&self, purpose: &str, message: &[u8]) -> Vec<u8> {
        let first = self.accepted.first().copied().unwrap_or_default();
        hmac::sign(&key(&first), &of_purpose(purpose, message)).as_ref().to_vec()
    }

    /// Whether one with the secret has tagged a message.
    pub(super) fn has_tagged(&self, purpose: &str, message: &[u8], tag: &[u8]) -> bool {
        let message = of_purpose(purpose, message);
        self.accepted.iter().any(|secret| hmac::verify(&key(secret), &message, tag).is_ok())
    }
}

fn key(secret: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

fn of_purpose(purpose: &str, message: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", message].concat()
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSecret").finish_non_exhaustive()
    }
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    fn read(text: &str) -> Result<ClusterSecret, SecretError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        ClusterSecret::read(file.path())
    }

    #[test]
    fn the_first_secret_is_sent_and_each_is_accepted() {
        let secret = read(&format!("# new\r\n {ONE}\r\n\n# old\n{OTHER}\n")).unwrap();
        assert_eq!(secret.sent(), ONE);
        assert!(secret.accepts(ONE.as_bytes()) && secret.accepts(OTHER.as_bytes()));
        for wrong in ["", "# new", &ONE[1..], "0123456789abcdef0123456789abcdeg"] {
            assert!(!secret.accepts(wrong.as_bytes()), "{wrong}");
        }
        assert!(!format!("{secret:?}").contains("0123"));
    }

    #[test]
    fn a_message_is_recognised_by_any_accepted_secret_and_for_its_purpose_only() {
        let [new, old] = [ONE, OTHER].map(|secret| ClusterSecret::new(secret).unwrap());
        let both = read(&format!("{ONE}\n{OTHER}")).unwrap();
        for by in [&new, &old] {
            let tag = by.tag("a", b"message");
            assert!(both.has_tagged("a", b"message", &tag));
            assert!(!both.has_tagged("b", b"message", &tag));
            assert!(!both.has_tagged("a", b"massage", &tag));
        }
        assert!(!old.has_tagged("a", b"message", &both.tag("a", b"message")));
    }

    #[test]
    fn what_could_be_guessed_or_not_be_sent_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = read(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected) && !error.contains("0123"), "{text}: {error}");
        };
        check("", "no cluster secret");
        check("# 0123456789abcdef0123456789abcdef", "no cluster secret");
        check(&ONE[1..], "fewer than 32");
        check(&format!("{ONE}\n0123"), "fewer than 32");
        check(&format!("{ONE} # old"), "space");
        check(&format!("{ONE}\u{e9}"), "printable");
        check(&format!("{ONE}\n").repeat(17), "more than 16");
        let missing = ClusterSecret::read(Path::new("/nowhere/secret")).unwrap_err();
        assert!(matches!(missing, SecretError::Unreadable { .. }));
    }
}
