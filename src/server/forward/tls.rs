//! TLS to other gateways. They are believed if they have this gateway's own certificate, which a load balancer's backends
//! commonly share, or one of the system's authorities for their name.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::server::credentials::Credentials;

/// Makes TLS connections to other gateways.
pub(super) struct GatewayTls(TlsConnector);

impl GatewayTls {
    /// TLS as far as these credentials have it.
    ///
    /// # Errors
    /// The system's authorities cannot be used.
    pub(super) fn of(credentials: &Arc<Credentials>) -> Result<Option<GatewayTls>, Error> {
        if !credentials.has_tls() {
            return Ok(None);
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(GatewayVerifier::new(credentials, &provider));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Some(GatewayTls(TlsConnector::from(Arc::new(config)))))
    }

    /// Secures a connection to the gateway with this host name or address.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

/// Which certificates are believed. The other gateway proves in any case that it has the key.
struct GatewayVerifier {
    credentials: Arc<Credentials>,
    /// `None` where the system has no authorities.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl GatewayVerifier {
    fn new(credentials: &Arc<Credentials>, provider: &Arc<CryptoProvider>) -> GatewayVerifier {
        let mut roots = RootCertStore::empty();
        // What cannot be read is missing below.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let of_roots =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let (credentials, provider) = (Arc::clone(credentials), Arc::clone(provider));
        GatewayVerifier { credentials, authorities: of_roots.build().ok(), provider }
    }
}

impl ServerCertVerifier for GatewayVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.credentials.own_certificate().is_some_and(|own| own == *certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(authorities) = &self.authorities else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        authorities.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for GatewayVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayVerifier").finish_non_exhaustive()
    }
}
