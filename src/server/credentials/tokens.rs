//! The tokens that clients authenticate with.

use std::path::Path;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::error::{CredentialError, MIN_TOKEN_CHARS, TokenFault};
use super::files::CredentialFile;

/// Limit of tokens in a file. Each call is compared with all of them.
const MAX_TOKENS: usize = 1000;

/// The valid tokens, as SHA-256 hashes.
pub(in crate::server) struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    /// The only token.
    ///
    /// # Errors
    /// [`CredentialError::Token`].
    pub(super) fn of_one(token: &str) -> Result<Tokens, CredentialError> {
        check(token).map_err(CredentialError::Token)?;
        Ok(Tokens(vec![hash(token)]))
    }

    /// The tokens in a file, one per line. Blank lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// The file cannot be read, a line is not a token, or there are none or too many.
    pub(super) fn of_file([file]: &[CredentialFile; 1]) -> Result<Tokens, CredentialError> {
        Ok(Tokens(in_file(file)?.iter().map(|token| hash(token)).collect()))
    }

    /// Whether a token is valid, in a time that does not depend on where it differs from which.
    pub(in crate::server) fn contain(&self, token: &str) -> bool {
        let given = hash(token);
        let compare = |found: Choice, valid: &[u8; 32]| found | given.ct_eq(valid);
        self.0.iter().fold(Choice::from(0), compare).into()
    }
}

/// The first token in a file of tokens, for a client; others are those of other clients, or are about to be replaced.
///
/// # Errors
/// The file cannot be read, a line is not a token, or there are none or too many.
pub(crate) fn read_token(path: &Path) -> Result<String, CredentialError> {
    let mut tokens = in_file(&CredentialFile::read(path))?;
    Ok(tokens.swap_remove(0))
}

/// The tokens in a file; at least one.
fn in_file(file: &CredentialFile) -> Result<Vec<String>, CredentialError> {
    let path = || file.path.clone();
    let mut tokens = Vec::new();
    for (line, text) in file.bytes("text file")?.split(|&byte| byte == b'\n').enumerate() {
        let text = String::from_utf8_lossy(text.trim_ascii());
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let is_one_word = if text.contains(' ') { Err(TokenFault::HasSpace) } else { Ok(()) };
        check(&text).and(is_one_word).map_err(|fault| CredentialError::TokenLine {
            path: path(),
            line: line + 1,
            fault,
        })?;
        tokens.push(text.into_owned());
    }
    match tokens.len() {
        0 => Err(CredentialError::NoTokens { path: path() }),
        1..=MAX_TOKENS => Ok(tokens),
        _ => Err(CredentialError::TooManyTokens { path: path(), limit: MAX_TOKENS }),
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn check(token: &str) -> Result<(), TokenFault> {
    if !token.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(TokenFault::NotPrintable);
    }
    if token.len() < MIN_TOKEN_CHARS {
        return Err(TokenFault::TooShort);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef";
    const OTHER: &str = "another-token-of-some-length";

    fn read(text: &[u8]) -> Result<Tokens, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, text).unwrap();
        let read = Tokens::of_file(&[CredentialFile::read(&path)]);
        read.map_err(|error| format!("{error}\n{}", error.remedy()))
    }

    #[test]
    fn a_file_has_one_token_per_line_and_comments() {
        let text = format!("# of November\r\n{ONE}\r\n\n  # the next\n\t{OTHER}");
        let tokens = read(text.as_bytes()).unwrap();
        assert!(tokens.contain(ONE) && tokens.contain(OTHER));
        for wrong in ["", "# of November", &ONE[1..], "0123456789abcdeg", "0123456789abcdef0"] {
            assert!(!tokens.contain(wrong), "{wrong}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(read_token(file.path()).unwrap(), ONE);
    }

    #[test]
    fn an_error_names_file_and_line_and_no_token() {
        let check = |text: &[u8], parts: &[&str]| {
            let error = read(text).err().unwrap();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
            assert!(error.contains("tokens") && !error.contains("bcdef"), "{error}");
        };
        check(b"", &["no token", "one token"]);
        check(b"\n# 0123456789abcdef\n", &["no token"]);
        check(b"0123456789abcdef\n\nbcdef\n", &["line 3", "fewer than 16"]);
        check("0123456789abcdef\u{e9}".as_bytes(), &["line 1", "ASCII"]);
        check(b"0123456789abcdef\xff", &["line 1", "ASCII"]);
        check(b"0123456789abcdef # old\n", &["line 1", "has a space", "lines of their own"]);
        check(&[&b"0123456789abcdef\n"[..]; 1001].concat(), &["1000"]);
    }

    #[test]
    fn the_only_token_may_have_spaces() {
        assert!(Tokens::of_one("a token that is not guessed").is_ok());
        assert!(
            Tokens::of_one("too short").is_err() && Tokens::of_one(&"\u{e9}".repeat(16)).is_err()
        );
    }
}
