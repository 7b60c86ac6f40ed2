//! The sessions of a run on a server. The server would keep them until its resume window ends, so a run that ends early cancels
//! them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::client::{self, Server};

/// Time limit for cancelling a session, within which the user waits for the command to end.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// The open sessions of a run.
#[derive(Debug, Clone)]
pub(super) struct OpenSessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Server,
    ids: Mutex<Vec<String>>,
    is_interrupted: AtomicBool,
}

impl OpenSessions {
    /// None yet, on this server.
    pub(super) fn new(server: Server) -> OpenSessions {
        let (ids, is_interrupted) = (Mutex::default(), AtomicBool::new(false));
        OpenSessions(Arc::new(Inner { server, ids, is_interrupted }))
    }

    /// Adds a session.
    pub(super) fn add(&self, id: &str) {
        let mut ids = self.ids();
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }

    /// Removes a session that has ended.
    pub(super) fn remove(&self, id: &str) {
        self.ids().retain(|known| known != id);
    }

    /// Cancels a session whose call has ended for a reason that the server does not know.
    pub(super) fn cancel(&self, runtime: &Runtime, id: &str) {
        self.remove(id);
        cancel(&self.0.server, runtime, id);
    }

    /// Cancels all sessions of a run that is interrupted, and prints which.
    pub(super) fn cancel_interrupted(&self) {
        self.0.is_interrupted.store(true, Ordering::Release);
        let ids = self.ids().clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        for id in ids {
            if cancel(&self.0.server, &runtime, &id) {
                eprintln!("interrupted: session {id} is cancelled");
            }
        }
    }

    /// Waits for the end of the process if the run is interrupted: errors of its calls only follow from that.
    pub(super) fn wait_if_interrupted(&self) {
        while self.0.is_interrupted.load(Ordering::Acquire) {
            std::thread::park();
        }
    }

    fn ids(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cancels a session. Returns whether it has ended; else prints how to cancel it later.
fn cancel(server: &Server, runtime: &Runtime, id: &str) -> bool {
    let call = async { tokio::time::timeout(CANCEL_LIMIT, client::cancel(server, id)).await };
    let cause = match runtime.block_on(call) {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", CANCEL_LIMIT.as_secs()),
    };
    let url = server.url.trim_end_matches('/');
    eprintln!("session {id} was not cancelled: {cause}");
    eprintln!(
        "it ends after the server's resume window, or with: curl -X POST {url}/api/sessions/{id}/cancel"
    );
    false
}
