//! The session of a request that has not been answered: its client has not received the session's id.

use std::net::IpAddr;
use std::sync::Arc;

use tonic::Status;
use tracing::Instrument;

use crate::separation::Separations;
use crate::server::blocking;
use crate::server::status::ApiError;
use crate::session::{Session, Settings};

/// Such a session. Dropping it removes the session, unless it has ended with an error of its own.
pub(super) struct Unfinished {
    separations: Arc<Separations>,
    session: Option<Arc<Session>>,
}

impl Unfinished {
    /// No session so far.
    pub(super) fn none(separations: &Arc<Separations>) -> Unfinished {
        Unfinished { separations: Arc::clone(separations), session: None }
    }

    /// Creates a session.
    pub(super) fn open(
        separations: Arc<Separations>,
        client: Option<IpAddr>,
        settings: Settings,
    ) -> Result<Unfinished, ApiError> {
        let (session, _) = separations.create_for(client, settings)?;
        Ok(Unfinished { separations, session: Some(session) })
    }

    /// The session, if there is one.
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Leaves the session as it is: its client receives its id.
    pub(super) fn keep(&mut self) {
        self.session = None;
    }

    /// Removes the session before the error is sent; returns it if it stays.
    pub(super) async fn remove(mut self) -> Option<Arc<Session>> {
        let session = self.session.clone();
        if let Some(removal) = self.removal() {
            // A panic has been logged.
            let _ = removal.await;
        }
        session.filter(|session| !session.is_removed())
    }

    fn removal(&mut self) -> Option<impl Future<Output = Result<(), Status>> + use<>> {
        let session = self.session.take()?;
        let separations = Arc::clone(&self.separations);
        Some(blocking::run(move || match separations.form_abandoned(&session) {
            Ok(true) => {
                tracing::info!(session = %session.id(), "upload broken off; session removed")
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(session = %session.id(), %error, "cannot remove session");
            }
        }))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(removal) = self.removal() {
            tokio::spawn(removal.in_current_span());
        }
    }
}
