//! Credentials: the tokens that clients authenticate with, and the server's certificate and key.
//!
//! Those in files ([`files`]) are [`reloaded`] when the files change: [`tokens`] count for new calls, a certificate
//! ([`tls`]) for new handshakes.

mod error;
mod files;
mod reloaded;
mod tls;
mod tokens;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;

pub use error::{CredentialError, TlsError, TokenFault};
pub(crate) use files::{can_others_read, read_pem};

use reloaded::Reloaded;
use tls::ServedTls;
pub(in crate::server) use tokens::Tokens;
pub(crate) use tokens::read_token;

/// Where credentials are.
#[derive(Clone, Default)]
pub struct CredentialSources {
    /// The only token, which stays valid.
    pub token: Option<String>,
    /// A file with one token per line. Used if there is no `token`.
    pub token_file: Option<PathBuf>,
    /// The files of certificate and key.
    pub tls: Option<TlsFiles>,
}

/// The files of certificate and key, in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The credentials in use.
#[derive(Default)]
pub struct Credentials {
    tokens: Option<Reloaded<Tokens, 1>>,
    tls: Option<Reloaded<ServedTls, 2>>,
}

/// A part of the credentials, by the name that logs and metrics give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum CredentialKind {
    Tokens,
    Certificate,
}

/// What became of changed files.
pub(in crate::server) type Reload = (CredentialKind, Result<(), CredentialError>);

impl Credentials {
    /// Reads all credentials.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn read(sources: &CredentialSources) -> Result<Credentials, CredentialError> {
        let tokens = match (&sources.token, &sources.token_file) {
            (Some(token), _) => Some(Reloaded::fixed(Tokens::of_one(token)?)),
            (None, Some(file)) => Some(Reloaded::read([file.clone()], Tokens::of_file)?),
            (None, None) => None,
        };
        let tls = sources.tls.as_ref().map(|TlsFiles { certificate, key }| {
            Reloaded::read([certificate.clone(), key.clone()], tls::served)
        });
        Ok(Credentials { tokens, tls: tls.transpose()? })
    }

    /// Whether calls need a token.
    pub fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whether connections are secured.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The tokens that new calls need one of; `None` if they need none.
    pub(in crate::server) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.as_ref().map(Reloaded::current)
    }

    /// The configuration of new handshakes; `None` without TLS.
    pub(in crate::server) fn handshake_config(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.current().handshake))
    }

    /// The certificate that this server shows; `None` without TLS.
    pub(in crate::server) fn own_certificate(&self) -> Option<CertificateDer<'static>> {
        self.tls.as_ref()?.current().certificate.clone()
    }

    /// The parts that are reloaded.
    pub(in crate::server) fn watched(&self) -> impl Iterator<Item = CredentialKind> {
        let tokens = self.tokens.as_ref().is_some_and(Reloaded::is_watched);
        let tls = self.tls.as_ref().is_some_and(Reloaded::is_watched);
        let tokens = tokens.then_some(CredentialKind::Tokens);
        tokens.into_iter().chain(tls.then_some(CredentialKind::Certificate))
    }

    /// Reloads what has changed. A part that cannot be used stays as it was. Unless `at_once`, a change counts when a
    /// second look finds the same: several files may be about to be replaced.
    pub(in crate::server) fn reload(&self, at_once: bool) -> Vec<Reload> {
        let tokens = self.tokens.as_ref().and_then(|tokens| tokens.reload(at_once));
        let tls = self.tls.as_ref().and_then(|tls| tls.reload(at_once));
        let tokens = tokens.map(|result| (CredentialKind::Tokens, result));
        tokens.into_iter().chain(tls.map(|result| (CredentialKind::Certificate, result))).collect()
    }
}

impl CredentialKind {
    /// Its name.
    pub(in crate::server) fn as_str(self) -> &'static str {
        match self {
            CredentialKind::Tokens => "tokens",
            CredentialKind::Certificate => "certificate",
        }
    }
}

impl fmt::Debug for CredentialSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CredentialSources { token: _, token_file, tls } = self;
        let mut shown = f.debug_struct("CredentialSources");
        shown.field("token_file", token_file).field("tls", tls).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}
