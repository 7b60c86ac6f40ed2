//! The connection to a server.

use std::fmt;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::error::ClientError;
use crate::proto::separation_service_client::SeparationServiceClient;

/// Time limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval of pings during calls, and time limit of the reply: a peer that disappears without closing the connection is detected within
/// 30 seconds.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit of a message, in bytes; the server's messages are far smaller.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Flow-control window of a stream, in bytes; the connection has twice as much.
const STREAM_WINDOW: u32 = 4 << 20;

/// Address and credentials of a server.
#[derive(Clone)]
pub struct Server {
    /// URL, such as `http://127.0.0.1:8000`.
    pub url: String,
    /// Sent as `authorization: Bearer TOKEN`.
    pub token: Option<String>,
    /// Certificate authority of the server, in PEM; `None` uses those of the system.
    pub authority: Option<Vec<u8>>,
}

impl From<&str> for Server {
    fn from(url: &str) -> Server {
        Server { url: url.to_owned(), token: None, authority: None }
    }
}

/// Without the token, so that no log has it.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "…");
        f.debug_struct("Server")
            .field("url", &self.url)
            .field("token", &token)
            .finish_non_exhaustive()
    }
}

/// The calls of the service, with credentials.
pub(crate) type Stub =
    SeparationServiceClient<tonic::service::interceptor::InterceptedService<Channel, BearerToken>>;

/// Adds the token to every call.
#[derive(Clone)]
pub(crate) struct BearerToken(Option<MetadataValue<Ascii>>);

impl tonic::service::Interceptor for BearerToken {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Connects to a server.
///
/// # Errors
/// The URL or the token is not valid, or the connection cannot be established.
pub(crate) async fn connect(server: &Server) -> Result<Stub, ClientError> {
    let invalid = |problem: String| ClientError::Url { url: server.url.clone(), problem };
    let url = if server.url.contains("://") {
        server.url.clone()
    } else {
        format!("http://{}", server.url)
    };
    let mut endpoint = Endpoint::from_shared(url.clone())
        .map_err(|error| invalid(error.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(2 * STREAM_WINDOW);
    if url.starts_with("https://") {
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(authority) = &server.authority {
            tls = tls.ca_certificate(Certificate::from_pem(authority));
        }
        endpoint = endpoint.tls_config(tls).map_err(|error| invalid(innermost(&error)))?;
    }
    let token = match &server.token {
        None => None,
        Some(token) => {
            let value = format!("Bearer {token}").parse();
            Some(
                value
                    .map_err(|_| invalid("the token has characters that cannot be sent".into()))?,
            )
        }
    };
    let channel = endpoint.connect().await.map_err(|error| ClientError::Connect {
        url: server.url.clone(),
        problem: innermost(&error),
    })?;
    Ok(SeparationServiceClient::with_interceptor(channel, BearerToken(token))
        .max_decoding_message_size(MAX_MESSAGE_BYTES))
}

/// The message of the innermost cause.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
