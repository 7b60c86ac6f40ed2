//! Errors of credentials. None shows a token or a key.

use std::io;
use std::path::PathBuf;

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;

/// The shortest token that is accepted, in characters: shorter ones can be guessed.
pub(super) const MIN_TOKEN_CHARS: usize = 16;

/// Error of a token, a token file, a certificate chain or a key.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// The system error.
        source: io::Error,
    },
    /// A file has nothing of the kind that is expected.
    #[error("{} contains no {label} in PEM format", path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should contain, such as `CERTIFICATE`.
        label: &'static str,
    },
    /// Certificate or key cannot be used.
    #[error("TLS cannot be served with this certificate and key: {0}")]
    Tls(#[from] TlsError),
    /// A token cannot be used.
    #[error("the token {0}")]
    Token(TokenFault),
    /// A token in a file cannot be used.
    #[error("{}, line {line}: the token {fault}", path.display())]
    TokenLine {
        /// The file.
        path: PathBuf,
        /// The line, from one.
        line: usize,
        /// What is wrong with it.
        fault: TokenFault,
    },
    /// A token file has no tokens.
    #[error("{} contains no token", path.display())]
    NoTokens {
        /// The file.
        path: PathBuf,
    },
    /// A token file has too many tokens.
    #[error("{} contains more than {limit} tokens", path.display())]
    TooManyTokens {
        /// The file.
        path: PathBuf,
        /// How many there may be.
        limit: usize,
    },
}

/// Error of a certificate chain or its key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate chain is not PEM.
    #[error("the certificate chain cannot be read: {0}")]
    Certificate(pem::Error),
    /// The private key is not PEM.
    #[error("the private key cannot be read: {0}")]
    Key(pem::Error),
    /// They do not match, or use an unsupported algorithm.
    #[error("{0}")]
    Unusable(#[from] rustls::Error),
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It has fewer than 16 characters.
    #[error("has fewer than {MIN_TOKEN_CHARS} characters and could be guessed")]
    TooShort,
    /// It has a character that is not printable ASCII.
    #[error("has a character that is not printable ASCII")]
    NotPrintable,
    /// It has a space, and is in a file, where a comment may follow by mistake.
    #[error("has a space")]
    HasSpace,
}

impl CredentialError {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            CredentialError::Unreadable { expected, .. } => {
                format!("Name a {expected} that this user can read.")
            }
            CredentialError::NoPem { label, .. } => {
                format!("Name a PEM file with a line `-----BEGIN {label}-----`.")
            }
            CredentialError::Tls(_) => {
                "Give a certificate chain and its own key, both as PEM.".to_owned()
            }
            CredentialError::Token(TokenFault::TooShort) => "Choose a longer token.".to_owned(),
            CredentialError::Token(TokenFault::NotPrintable | TokenFault::HasSpace) => {
                "Choose a token of letters, digits and punctuation.".to_owned()
            }
            CredentialError::TokenLine { .. } | CredentialError::NoTokens { .. } => format!(
                "Write one token of at least {MIN_TOKEN_CHARS} letters, digits and punctuation per line, and comments on \
                 lines of their own that begin with `#`."
            ),
            CredentialError::TooManyTokens { .. } => {
                "Remove tokens that are no longer used.".to_owned()
            }
        }
    }
}
