//! The path under which a proxy offers the server: URLs in responses begin with it.

tokio::task_local! {
    static CURRENT: String;
}

/// Runs `work`, which answers a request whose proxy has removed `prefix` from its path.
pub(super) async fn scope<T>(prefix: Option<String>, work: impl Future<Output = T>) -> T {
    match prefix {
        Some(prefix) => CURRENT.scope(prefix, work).await,
        None => work.await,
    }
}

/// The path of a URL for the client of the request that this task answers; `path` is the server's own.
pub(super) fn prefixed(path: &str) -> String {
    CURRENT.try_with(|prefix| format!("{prefix}{path}")).unwrap_or_else(|_| path.to_owned())
}
