//! The HTTP client of object stores, over hyper and rustls: the one of the crate `object_store` brings a second TLS library,
//! which is compiled from C.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::client::{
    HttpClient, HttpConnector as ConnectClients, HttpError, HttpErrorKind, HttpRequest,
    HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use tokio_rustls::rustls::crypto::ring;

use crate::session::replica::ReplicaObserver;

/// Time limit of connecting. An address without a host must not use up the time of a call.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long an unused connection is kept. S3 closes it after about 20 s.
const IDLE_TIME: Duration = Duration::from_secs(15);

/// The observer of a store, once there is one.
pub(super) type ObserverSlot = Arc<OnceLock<Arc<dyn ReplicaObserver>>>;

/// Makes clients with the root certificates of the system.
#[derive(Debug)]
pub(super) struct StoreConnector {
    pub(super) observer: ObserverSlot,
}

impl ConnectClients for StoreConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIME));
        let unavailable = |error: std::io::Error| object_store::Error::Generic {
            store: "HTTPS",
            source: error.into(),
        };
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())
            .map_err(unavailable)?;
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let tls = match allow_http.as_deref() {
            Some("true") => tls.https_or_http(),
            _ => tls.https_only(),
        };
        let connector = tls.enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(HttpClient::new(StoreClient { client, observer: Arc::clone(&self.observer) }))
    }
}

#[derive(Debug)]
struct StoreClient {
    client: Client<HttpsConnector<HttpConnector>, HttpRequestBody>,
    observer: ObserverSlot,
}

impl StoreClient {
    /// Makes a request once.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.client.request(request).await.map_err(|error| {
            let kind = match error.is_connect() {
                true => HttpErrorKind::Connect,
                false => HttpErrorKind::Interrupted,
            };
            HttpError::new(kind, PlainError(error))
        })?;
        let interrupted = |error| HttpError::new(HttpErrorKind::Interrupted, error);
        Ok(response.map(|body| HttpResponseBody::new(body.map_err(interrupted))))
    }
}

#[async_trait::async_trait]
impl HttpService for StoreClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let result = self.send(request).await;
        let is_failed = |status: StatusCode| {
            status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
        };
        if result.as_ref().map_or(true, |response| is_failed(response.status()))
            && let Some(observer) = self.observer.get()
        {
            observer.request_failed();
        }
        result
    }
}

/// An error of the client, with the words of its innermost cause: its own are `client error (Connect)`.
#[derive(Debug)]
struct PlainError(hyper_util::client::legacy::Error);

impl fmt::Display for PlainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut innermost: &dyn Error = &self.0;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        if self.0.is_connect() {
            write!(f, "cannot connect: {innermost}")
        } else {
            write!(f, "{innermost}")
        }
    }
}

impl Error for PlainError {}
