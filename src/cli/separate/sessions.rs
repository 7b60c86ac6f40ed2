//! The sessions of a run on a server. The server would keep them until its resume window ends, so a run that ends early cancels
//! them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::proto::SeparationConfig;
use stemwire_client::{Client, ClientError, Retry, Server};

/// Time limit for cancelling a session, within which the user waits for the command to end.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// The open sessions of a run.
#[derive(Debug, Clone)]
pub(super) struct OpenSessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Server,
    requested: Mutex<Vec<RequestedSession>>,
    is_interrupted: AtomicBool,
}

/// A session that was requested.
#[derive(Debug, Clone)]
struct RequestedSession {
    config: SeparationConfig,
    /// Its id, once the server has sent it.
    id: Option<String>,
}

impl OpenSessions {
    /// None yet, on this server.
    pub(super) fn new(server: Server) -> OpenSessions {
        let (requested, is_interrupted) = (Mutex::default(), AtomicBool::new(false));
        OpenSessions(Arc::new(Inner { server, requested, is_interrupted }))
    }

    /// A call begins that creates the session of this request, unless there is one. Does not return if the run is
    /// interrupted.
    pub(super) fn request(&self, config: &SeparationConfig) {
        let mut requested = self.requested();
        if !requested.iter().any(|session| session.config.request_id == config.request_id) {
            requested.push(RequestedSession { config: config.clone(), id: None });
        }
        drop(requested);
        self.wait_if_interrupted();
    }

    /// The server has sent the id of the session of a request.
    pub(super) fn name(&self, config: &SeparationConfig, id: &str) {
        let mut requested = self.requested();
        let found =
            requested.iter_mut().find(|session| session.config.request_id == config.request_id);
        if let Some(session) = found {
            session.id = Some(id.to_owned());
        }
    }

    /// Removes the session of a request, which has ended.
    pub(super) fn remove(&self, config: &SeparationConfig) {
        self.requested().retain(|session| session.config.request_id != config.request_id);
    }

    /// Cancels a session whose call has ended for a reason that the server does not know.
    pub(super) fn cancel(&self, runtime: &Runtime, config: &SeparationConfig, id: &str) {
        self.remove(config);
        let session = RequestedSession { config: config.clone(), id: Some(id.to_owned()) };
        session.cancel(&self.0.server, runtime);
    }

    /// Cancels all sessions of a run that is interrupted, and prints which.
    pub(super) fn cancel_interrupted(&self) {
        self.0.is_interrupted.store(true, Ordering::Release);
        let requested = self.requested().clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        for session in requested {
            if let Some(id) = session.cancel(&self.0.server, &runtime) {
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

    fn requested(&self) -> MutexGuard<'_, Vec<RequestedSession>> {
        self.0.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestedSession {
    /// Cancels the session. Returns its id if it has ended; else prints how to cancel it later.
    fn cancel(&self, server: &Server, runtime: &Runtime) -> Option<String> {
        let client = Client::new(server.clone()).with_retry(Retry::NEVER);
        let call = async {
            match &self.id {
                Some(id) => client.cancel(id).await.map(|_| id.clone()),
                None => client.cancel_request(self.config.clone()).await,
            }
        };
        let limited = async { tokio::time::timeout(CANCEL_LIMIT, call).await };
        let cause = match runtime.block_on(limited) {
            Ok(Ok(id)) => return Some(id),
            // The server has created none, and creates none.
            Ok(Err(ClientError::Refused(refusal)))
                if self.id.is_none() && !refusal.reason.is_empty() =>
            {
                return None;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", CANCEL_LIMIT.as_secs()),
        };
        let url = server.url.trim_end_matches('/');
        let (name, command) = match &self.id {
            Some(id) => (id.as_str(), format!("curl -X POST {url}/api/sessions/{id}/cancel")),
            None => (
                "of this run",
                format!(
                    "curl -X POST {url}/api/sessions/ID/cancel, and its ID is in: curl {url}/api/sessions"
                ),
            ),
        };
        eprintln!("session {name} was not cancelled: {cause}");
        eprintln!("it ends after the server's resume window, or with: {command}");
        None
    }
}
