//! Rung 5: a client of the protocol, for `stemwire separate --server`.
//!
//! [`separate()`] sends one song and hands out its stems as they come; a connection that breaks is made
//! again and goes on where both sides are.

mod separate;

use std::time::Duration;

use tonic::Code;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

pub use separate::{Request, Sink, Song, separate};

use crate::proto;
use crate::proto::separation_service_client::SeparationServiceClient;

/// How long a server may take to answer to a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of one message at most; the server's own are far smaller.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Bytes that may be under way to this client.
const STREAM_WINDOW: u32 = 4 << 20;

/// Where the server is and how to talk to it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Such as `http://127.0.0.1:8000`.
    pub url: String,
    /// Sent as `authorization: Bearer …`.
    pub token: Option<String>,
    /// The authority that has signed the server's certificate, as PEM; `None` takes the system's.
    pub authority: Option<Vec<u8>>,
}

/// What goes wrong between this client and its server.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("{url:?} is no server address: {problem}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers there.
    #[error("cannot connect to {url}: {problem}")]
    Connect {
        /// The address.
        url: String,
        /// The innermost cause.
        problem: String,
    },
    /// The server refuses.
    #[error("{message}")]
    Refused {
        /// The code.
        code: Code,
        /// The reason, in `UPPER_SNAKE`; empty where the server gives none.
        reason: String,
        /// Cause and remedy, as the server says them.
        message: String,
    },
    /// The server says something that makes no sense.
    #[error("the server's answer is not understood: {0}")]
    Nonsense(String),
    /// The song cannot be read, or what comes cannot be kept.
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

/// The models that the server has, those that it takes by itself first.
///
/// # Errors
/// [`ClientError`].
pub async fn models(server: &Server) -> Result<Vec<proto::Model>, ClientError> {
    let mut stub = connect(server).await?;
    Ok(stub.list_models(proto::ListModelsRequest {}).await?.into_inner().models)
}

/// A stem of a session as its server sends it, from the request's frame on.
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

/// What the last cause of an error says.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> ClientError {
        use tonic_types::StatusExt;
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        ClientError::Refused { code: status.code(), reason, message: status.message().to_owned() }
    }
}

impl ClientError {
    /// What a call ended with before the server had said a word: its own refusal, or that there is
    /// nobody who speaks the protocol.
    fn before_answer(url: &str, status: tonic::Status) -> ClientError {
        let error = ClientError::from(status);
        match error {
            ClientError::Refused {
                code: Code::Unknown | Code::Internal | Code::Cancelled | Code::Unavailable,
                reason,
                message,
            } if reason.is_empty() => {
                ClientError::Connect { url: url.to_owned(), problem: message }
            }
            error => error,
        }
    }

    /// Whether the same may go well when it is tried again.
    fn is_passing(&self) -> bool {
        match self {
            ClientError::Connect { .. } => true,
            ClientError::Refused { code, reason, .. } => match code {
                Code::Unavailable => reason != "MODEL_UNAVAILABLE",
                // The connection broke in the middle of a stream.
                Code::Unknown | Code::Internal | Code::Cancelled => reason.is_empty(),
                _ => false,
            },
            ClientError::Url { .. } | ClientError::Nonsense(_) | ClientError::Io(_) => false,
        }
    }
}
