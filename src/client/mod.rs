//! gRPC client, for `stemwire separate --server`.
//!
//! [`separate()`] sends a song and receives its stems. After a broken connection it reconnects and continues where
//! both sides are.

mod separate;

use std::time::Duration;

use tonic::Code;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic_types::StatusExt;

pub use separate::{Request, Sink, Song, separate};

use crate::proto;
use crate::proto::reason::{Category, DOMAIN, ErrorReason};
use crate::proto::separation_service_client::SeparationServiceClient;

/// Time limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit of a message, in bytes; the server's messages are far smaller.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Flow-control window of a stream, in bytes; the connection has twice as much.
const STREAM_WINDOW: u32 = 4 << 20;

/// Address and credentials of a server.
#[derive(Debug, Clone)]
pub struct Server {
    /// URL, such as `http://127.0.0.1:8000`.
    pub url: String,
    /// Sent as `authorization: Bearer TOKEN`.
    pub token: Option<String>,
    /// Certificate authority of the server, in PEM; `None` uses those of the system.
    pub authority: Option<Vec<u8>>,
}

/// Error of a call.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not valid.
    #[error("{url:?} is not a server URL: {problem}")]
    Url {
        /// The URL.
        url: String,
        /// The fault.
        problem: String,
    },
    /// The connection cannot be established.
    #[error("cannot connect to {url}: {problem}")]
    Connect {
        /// The URL.
        url: String,
        /// The innermost cause.
        problem: String,
    },
    /// The server refused the call, or the connection broke during it.
    #[error("{message}")]
    Refused {
        /// The code.
        code: Code,
        /// The reason, in `UPPER_SNAKE`; empty if the error is not the server's.
        reason: String,
        /// The cause.
        message: String,
        /// The remedy, as one imperative sentence.
        remedy: String,
        /// Delay after which a retry may succeed; `None` if the server offers no retry.
        retry_after: Option<Duration>,
    },
    /// The server violated the protocol.
    #[error("the server's response is invalid: {0}")]
    Protocol(String),
    /// The song cannot be read, or a stem cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

type Stub =
    SeparationServiceClient<tonic::service::interceptor::InterceptedService<Channel, BearerToken>>;

/// Adds the token to every call.
#[derive(Debug, Clone)]
struct BearerToken(Option<MetadataValue<Ascii>>);

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

async fn connect(server: &Server) -> Result<Stub, ClientError> {
    let invalid = |problem: String| ClientError::Url { url: server.url.clone(), problem };
    let url = if server.url.contains("://") {
        server.url.clone()
    } else {
        format!("http://{}", server.url)
    };
    let mut endpoint = Endpoint::from_shared(url.clone())
        .map_err(|error| invalid(error.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
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

/// Lists the models of a server: those of its chain first.
///
/// # Errors
/// [`ClientError`].
pub async fn models(server: &Server) -> Result<Vec<proto::Model>, ClientError> {
    let mut stub = connect(server).await?;
    Ok(stub.list_models(proto::ListModelsRequest {}).await?.into_inner().models)
}

/// The session of a request, by its `request_id`; created if there is none.
async fn session(
    stub: &mut Stub,
    config: &proto::SeparationConfig,
) -> Result<proto::Session, ClientError> {
    let request = proto::CreateSessionRequest { config: Some(config.clone()) };
    let created = stub.create_session(request).await?.into_inner();
    Ok(created.session.unwrap_or_default())
}

/// Cancels the session of a request, and returns its id. If there is none, one is created: a call that is still on its way
/// then finds it cancelled.
///
/// # Errors
/// [`ClientError`].
pub async fn cancel_request(
    server: &Server,
    config: &proto::SeparationConfig,
) -> Result<String, ClientError> {
    let mut stub = connect(server).await?;
    let session_id = session(&mut stub, config).await?.session_id;
    let request = proto::CancelSessionRequest { session_id: session_id.clone() };
    stub.cancel_session(request).await?;
    Ok(session_id)
}

/// Cancels a session. One that has ended stays as it is.
///
/// # Errors
/// [`ClientError`].
pub async fn cancel(server: &Server, session_id: &str) -> Result<(), ClientError> {
    let mut stub = connect(server).await?;
    stub.cancel_session(proto::CancelSessionRequest { session_id: session_id.to_owned() }).await?;
    Ok(())
}

/// Reads a stem of a session, from the request's frame.
///
/// # Errors
/// [`ClientError`].
pub async fn get_stem(
    server: &Server,
    request: proto::GetStemRequest,
) -> Result<tonic::Streaming<proto::GetStemResponse>, ClientError> {
    let mut stub = connect(server).await?;
    Ok(stub.get_stem(request).await?.into_inner())
}

/// The message of the innermost cause.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> ClientError {
        let details = status.get_error_details();
        // Errors of proxies have other domains.
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let reason = info.map(|info| info.reason.clone()).unwrap_or_default();
        let known = ErrorReason::from_name(&reason);
        let given = info.and_then(|info| info.metadata.get("remedy").cloned());
        let remedy = given.or(known.map(|reason| reason.remedy().to_owned()));
        let retry = details.retry_info().filter(|_| info.is_some());
        ClientError::Refused {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            remedy: remedy.unwrap_or_else(|| "See the server log, or try again later.".to_owned()),
            retry_after: retry.map(|retry| retry.retry_delay.unwrap_or_default()),
        }
    }
}

impl ClientError {
    /// The error of a call that failed before its first response: an error of the server, or there is no Stemwire
    /// server at the URL.
    fn before_answer(url: &str, status: tonic::Status) -> ClientError {
        let error = ClientError::from(status);
        match error {
            ClientError::Refused {
                code: Code::Unknown | Code::Internal | Code::Cancelled | Code::Unavailable,
                reason,
                message,
                ..
            } if reason.is_empty() => {
                ClientError::Connect { url: url.to_owned(), problem: message }
            }
            error => error,
        }
    }

    /// The category of the error, which determines the exit code.
    pub fn category(&self) -> Category {
        match self {
            ClientError::Url { .. } => Category::Usage,
            ClientError::Refused { reason, .. } => {
                ErrorReason::from_name(reason).map_or(Category::Server, ErrorReason::category)
            }
            ClientError::Connect { .. } | ClientError::Protocol(_) => Category::Server,
            ClientError::Io(_) => Category::Disk,
        }
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            ClientError::Url { .. } => "Write it as http://HOST:PORT.".into(),
            ClientError::Connect { url, .. } if url.starts_with("https://") => {
                "Check that the server uses TLS there; if its certificate is signed by an authority \
                 that this system does not know, name it with --tls-ca."
                    .into()
            }
            ClientError::Connect { url, .. } => format!(
                "Start it with `stemwire serve`, or check that {url} is right: https:// with TLS."
            ),
            ClientError::Refused { remedy, .. } => remedy.clone(),
            ClientError::Protocol(_) => "Use the same version of client and server.".into(),
            ClientError::Io(_) => {
                "Check that the song can be read, and that the folder can be written and has space."
                    .into()
            }
        }
    }

    /// Shortest delay before the call may be repeated; `None` if it must not be, because the server offered no retry or
    /// the error is local.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Connect { .. } => Some(Duration::ZERO),
            ClientError::Refused { code, reason, retry_after, .. } => {
                // The connection broke during a call.
                let is_broken = matches!(
                    code,
                    Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
                );
                retry_after.or((is_broken && reason.is_empty()).then_some(Duration::ZERO))
            }
            ClientError::Url { .. } | ClientError::Protocol(_) | ClientError::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;
    use tonic_types::ErrorDetails;

    use super::*;

    fn retry(
        code: Code,
        reason: &str,
        domain: &str,
        offered: Option<Duration>,
    ) -> Option<Duration> {
        let mut details = ErrorDetails::with_error_info(reason, domain, []);
        if offered.is_some() {
            details.set_retry_info(offered);
        }
        ClientError::from(Status::with_error_details(code, "cause", details)).retry_after()
    }

    #[test]
    fn a_call_is_repeated_where_its_answer_has_retry_info_whatever_the_reason() {
        for reason in ErrorReason::ALL.iter().copied() {
            let code = Code::from_i32(reason.code());
            let found = retry(code, reason.as_str(), DOMAIN, reason.retry_after());
            assert_eq!(found, reason.retry_after(), "{reason}");
            assert_eq!(retry(code, reason.as_str(), DOMAIN, None), None, "{reason}");
        }
    }

    #[test]
    fn a_broken_connection_is_retried() {
        for code in [Code::Unavailable, Code::Unknown, Code::Internal, Code::Cancelled] {
            let broken = ClientError::from(Status::new(code, "h2 protocol error"));
            assert_eq!(broken.retry_after(), Some(Duration::ZERO), "{code:?}");
            let proxy = retry(code, "UPSTREAM_DOWN", "proxy.example", None);
            assert_eq!(proxy, Some(Duration::ZERO), "{code:?}");
        }
        assert_eq!(ClientError::from(Status::deadline_exceeded("late")).retry_after(), None);
    }
}
