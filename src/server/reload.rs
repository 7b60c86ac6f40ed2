//! Reloads credentials when their files change, and at SIGHUP.

use std::sync::Arc;
use std::time::Duration;

use super::blocking;
use super::credentials::Credentials;
use super::middleware::metrics::Metrics;

/// The time between two looks at the files.
const ROUND: Duration = Duration::from_secs(1);

/// Reloads credentials as long as it runs; returns if none can change.
pub(super) async fn follow(credentials: Arc<Credentials>, metrics: Arc<Metrics>) {
    for kind in credentials.watched() {
        metrics.access.watch(kind);
    }
    if credentials.watched().next().is_none() {
        return;
    }
    let mut hangups = Hangups::new();
    loop {
        let at_once = tokio::select! {
            () = hangups.next() => true,
            () = tokio::time::sleep(ROUND) => false,
        };
        let files = Arc::clone(&credentials);
        // An error is a panic, which has been logged; the next round looks again.
        let reloads = blocking::run(move || files.reload(at_once)).await.unwrap_or_default();
        for (kind, result) in reloads {
            metrics.access.reloaded(kind, result.is_ok());
            let kind = kind.as_str();
            match result {
                Ok(()) => tracing::info!(credentials = kind, "reloaded"),
                Err(error) => {
                    let remedy = error.remedy();
                    tracing::error!(credentials = kind, %error, remedy, "not reloaded; the earlier ones stay in use");
                }
            }
        }
    }
}

/// Keeps SIGHUP from ending this process, if it has credentials that are reloaded: also one that is sent while the server
/// starts. Needs a runtime.
pub fn catch_hangups(credentials: &Credentials) {
    if credentials.watched().next().is_some() {
        // The signal stays caught when this goes.
        drop(Hangups::new());
    }
}

/// The SIGHUP signals of this process.
struct Hangups {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    fn new() -> Hangups {
        Hangups {
            #[cfg(unix)]
            signals: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Waits for the next one; for ever where there are none.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
