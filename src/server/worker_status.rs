//! `/health` and `/metrics` of a worker, for probes and Prometheus. They have numbers only, and need no token.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;

use super::middleware::metrics::{MEDIA_TYPE, worker_text};
use crate::cluster::tasks::WorkerStatus;
use crate::cluster::{FetchStatus, FetchedBytes};

/// A worker at one moment.
#[derive(Debug)]
pub struct WorkerState {
    /// `None` while it starts.
    pub status: Option<WorkerStatus>,
    /// The models that it lacks.
    pub fetch: FetchStatus,
    /// Whether it can get tasks.
    pub is_connected: bool,
}

/// Serves them on `address` beside what else the runtime does.
///
/// # Errors
/// The address is not free.
pub async fn serve_worker_status(
    address: SocketAddr,
    state: impl Fn() -> WorkerState + Clone + Send + Sync + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let of_health = state.clone();
    let health = move || async move { ([(CONTENT_TYPE, "application/json")], health(of_health())) };
    let metrics = move || async move {
        let WorkerState { status, fetch, .. } = state();
        (
            [(CONTENT_TYPE, MEDIA_TYPE)],
            worker_text(&status.unwrap_or_default(), fetch.missing.len()),
        )
    };
    let routes = Router::new().route("/health", get(health)).route("/metrics", get(metrics));
    // It ends with the runtime.
    drop(tokio::spawn(async move {
        let _ = axum::serve(listener, routes).await;
    }));
    Ok(())
}

fn health(state: WorkerState) -> String {
    let status = match &state.status {
        None => "starting",
        Some(_) if state.is_connected => "ok",
        // It need not be started again.
        Some(_) => "waiting",
    };
    let WorkerStatus { lanes, computing, .. } = state.status.unwrap_or_default();
    let fetching = state.fetch.fetched.map_or_else(String::new, |FetchedBytes { bytes, total }| {
        format!(r#","fetching":{{"bytes":{bytes},"total":{total}}}"#)
    });
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"{{"status":"{status}","version":"{version}","lanes":{lanes},"computing":{computing}{fetching}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_json_with_what_is_fetched() {
        let check = |status: Option<WorkerStatus>, fetched, is_connected, expected: &str| {
            let fetch = FetchStatus { missing: Vec::new(), fetched };
            let found = health(WorkerState { status, fetch, is_connected });
            let found: serde_json::Value = serde_json::from_str(&found).unwrap();
            let version = env!("CARGO_PKG_VERSION");
            let mut expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            expected["version"] = version.into();
            assert_eq!(found, expected);
        };
        let two = || Some(WorkerStatus { lanes: 2, computing: 1, ..WorkerStatus::default() });
        let fetched = Some(FetchedBytes { bytes: 3, total: 5 });
        check(two(), None, true, r#"{"status":"ok","lanes":2,"computing":1}"#);
        check(two(), None, false, r#"{"status":"waiting","lanes":2,"computing":1}"#);
        let fetching =
            r#"{"status":"starting","lanes":0,"computing":0,"fetching":{"bytes":3,"total":5}}"#;
        check(None, fetched, true, fetching);
    }
}
