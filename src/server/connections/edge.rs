//! Where the requests of a connection enter and their answers leave: counts open calls and unsent bytes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use tower::ServiceExt;

use super::connection::{Client, Connection};
use super::open_call::OpenCall;
use super::registry::Registry;
use super::response_body::ResponseBody;
use super::trusted_proxies::{TrustedProxies, prefix};
use crate::server::forward_headers::HopRules;
use crate::server::memory_budget::Budget;
use crate::server::path_prefix;

/// What all connections share.
pub(super) struct EdgeContext {
    pub(super) routes: Router,
    pub(super) registry: Arc<Registry>,
    /// Proxies that name the clients of their requests.
    pub(super) proxies: TrustedProxies,
    /// How calls of other gateways are recognised; `None` for a server that is alone.
    pub(super) hops: Option<HopRules>,
    /// Memory for bytes of answers that have not been sent.
    pub(super) unsent: Arc<Budget>,
    /// Whether answers of a path cost no memory: anybody may have them.
    pub(super) is_public: fn(&str) -> bool,
    /// The trailers of a gRPC answer that is cut because its client does not read.
    pub(super) cut_trailers: Arc<HeaderMap>,
}

/// Why a request is to be refused; an extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Overload {
    /// Its connection is one too many.
    Connections,
    /// Its call is one too many.
    Calls,
}

/// The routes, for the requests of one connection.
#[derive(Clone)]
pub(super) struct Edge {
    shared: Arc<EdgeContext>,
    connection: Arc<Connection>,
}

impl Edge {
    pub(super) fn new(shared: Arc<EdgeContext>, connection: Arc<Connection>) -> Edge {
        Edge { shared, connection }
    }

    /// The connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Service<Request<Incoming>> for Edge {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let (mut client, mut mounted_at) = (self.connection.client(), None);
        let forwarded = shared.hops.as_ref().and_then(|hops| hops.take(request.headers_mut()));
        if let Some(forwarded) = forwarded {
            request.extensions_mut().insert(forwarded.hop);
            client = forwarded.client.map_or(client, Client::at);
            mounted_at = forwarded.prefix;
        } else if self.connection.is_proxy() {
            client = shared.proxies.client(request.headers()).unwrap_or(client);
            mounted_at = prefix(request.headers()).map(str::to_owned);
        }
        let call = OpenCall::begin(&self.connection, client, &shared.registry);
        let extensions = request.extensions_mut();
        extensions.insert(Arc::clone(&self.connection));
        extensions.insert(client);
        if self.connection.is_refused() {
            extensions.insert(Overload::Connections);
        } else if !call.is_counted() {
            extensions.insert(Overload::Calls);
        }
        let unsent =
            (!(shared.is_public)(request.uri().path())).then(|| Arc::clone(&shared.unsent));
        let answer = shared.routes.clone().oneshot(request.map(Body::new));
        let answer = path_prefix::scope(mounted_at, answer);
        Box::pin(async move {
            let (head, body) = answer.await?.into_parts();
            let body = ResponseBody::new(body, &head.headers, call, unsent, &shared.cut_trailers);
            Ok(Response::from_parts(head, body))
        })
    }
}
