//! The TLS configuration, from PEM.

use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::files::CredentialFile;
use super::{CredentialError, TlsError};

/// Protocols offered to clients, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Certificate and key in use.
pub(super) struct ServedTls {
    /// The configuration of handshakes.
    pub(super) handshake: Arc<ServerConfig>,
    /// The first certificate of the chain.
    pub(super) certificate: Option<CertificateDer<'static>>,
}

/// What the files of certificate chain and key are used for.
///
/// # Errors
/// A file cannot be read or has no PEM, or [`TlsError`].
pub(super) fn served(
    [certificate, key]: &[CredentialFile; 2],
) -> Result<ServedTls, CredentialError> {
    Ok(of_pem(certificate.pem("CERTIFICATE")?, key.pem("PRIVATE KEY")?)?)
}

fn of_pem(certificate: &[u8], key: &[u8]) -> Result<ServedTls, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(TlsError::Certificate)?;
    let first = chain.first().cloned();
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(ServedTls { handshake: Arc::new(config), certificate: first })
}
