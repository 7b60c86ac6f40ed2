//! Where the requests of one connection enter: counts its open calls.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use tower::ServiceExt;

use super::connection::Connection;
use super::response_body::ResponseBody;

/// The routes, for the requests of one connection.
#[derive(Clone)]
pub(super) struct Edge {
    routes: Router,
    connection: Arc<Connection>,
}

impl Edge {
    pub(super) fn new(routes: Router, connection: Arc<Connection>) -> Edge {
        Edge { routes, connection }
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
        let call = self.connection.call();
        request.extensions_mut().insert(Arc::clone(&self.connection));
        let answer = self.routes.clone().oneshot(request.map(Body::new));
        Box::pin(async move { Ok(answer.await?.map(|body| ResponseBody::new(body, call))) })
    }
}
