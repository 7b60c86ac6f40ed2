//! The signals that ask this process to end.

/// The SIGTERM and Ctrl-C signals of this process. Once they are caught, they no longer end it by themselves.
pub(super) struct StopSignals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
}

impl StopSignals {
    /// Catches them. Needs a runtime.
    pub(super) fn catch() -> StopSignals {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        StopSignals {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate()).ok(),
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt()).ok(),
        }
    }

    /// Waits for the next one. Without signals only a kill ends the process; sessions then continue at the next start.
    pub(super) async fn next(self) {
        #[cfg(unix)]
        {
            let wait = async |signals: Option<tokio::signal::unix::Signal>| match signals {
                Some(mut signals) => drop(signals.recv().await),
                None => std::future::pending().await,
            };
            tokio::select! {
                () = wait(self.terminate) => {}
                () = wait(self.interrupt) => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
