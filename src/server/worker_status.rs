//! `/health` and `/metrics` of a worker, for probes and Prometheus. They have numbers only, and need no token.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;

use super::middleware::metrics::{MEDIA_TYPE, worker_text};
use crate::cluster::tasks::ClusterWorker;

/// Serves them on `address` beside what else the runtime does. `is_connected` is whether the worker can get tasks now.
///
/// # Errors
/// The address is not free.
pub async fn serve_worker_status(
    address: SocketAddr,
    worker: Arc<ClusterWorker>,
    is_connected: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let of_health = Arc::clone(&worker);
    let health = move || async move {
        // A worker that waits for NATS need not be started again.
        let status = if is_connected() { "ok" } else { "waiting" };
        let (now, version) = (of_health.status(), env!("CARGO_PKG_VERSION"));
        let (lanes, computing) = (now.lanes, now.computing);
        let text = format!(
            r#"{{"status":"{status}","version":"{version}","lanes":{lanes},"computing":{computing}}}"#
        );
        ([(CONTENT_TYPE, "application/json")], text)
    };
    let metrics =
        move || async move { ([(CONTENT_TYPE, MEDIA_TYPE)], worker_text(&worker.status())) };
    let routes = Router::new().route("/health", get(health)).route("/metrics", get(metrics));
    // It ends with the runtime.
    drop(tokio::spawn(async move {
        let _ = axum::serve(listener, routes).await;
    }));
    Ok(())
}
