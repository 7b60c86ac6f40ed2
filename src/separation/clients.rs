//! Reports what clients do with sessions to the scheduler.

use std::sync::Arc;

use super::{SeparationError, Separations};
use crate::session::lifecycle::Event;
use crate::session::live::{CallAttempt, ReaderGuard};
use crate::session::manifest::Announced;
use crate::session::{Added, Session, SessionError};

impl Separations {
    /// Resumes a paused session; changes nothing for one that is scheduled or has ended.
    ///
    /// # Errors
    /// [`SeparationError::QueueFull`], [`SeparationError::ShuttingDown`], `Storage`.
    pub fn resume(&self, session: &Arc<Session>) -> Result<(), SeparationError> {
        self.scheduler.admit(session, Event::ResumeRequested)
    }

    /// Gives a session to a new call and resumes it. Returns the call's number, with which the call reports that its
    /// [client has left](Separations::client_left); earlier calls no longer [hold](Session::is_held_by) the session. `None` if
    /// a later call of the same client has come before, of those that number their calls.
    ///
    /// # Errors
    /// Those of [`Separations::resume`]; the session is given to the call then, too.
    pub fn take_over(
        &self,
        session: &Arc<Session>,
        attempt: Option<CallAttempt>,
    ) -> Result<Option<u64>, SeparationError> {
        self.scheduler.take_over(session, attempt)
    }

    /// Registers a client that watches a session, which is resumed if its upload is complete and is not paused while
    /// the guard lives.
    ///
    /// # Errors
    /// Those of [`Separations::resume`].
    pub fn watch(&self, session: &Arc<Session>) -> Result<ReaderGuard, SeparationError> {
        let guard = session.register_reader();
        self.scheduler.admit(session, Event::WatcherJoined)?;
        Ok(guard)
    }

    /// Applies the session's `on_disconnect` after the call with this number broke off, unless another call holds the
    /// session.
    pub fn client_left(&self, session: &Arc<Session>, call: u64) {
        let policy = session.manifest().settings.on_disconnect;
        self.scheduler.client_left(session, call, policy);
    }

    /// Applies `on_disconnect` after a call that only waited for the result broke off.
    pub fn waiter_left(&self, session: &Arc<Session>) {
        let policy = session.manifest().settings.on_disconnect;
        self.report(session, || Some(Event::WaiterLeft { policy, watched: session.has_readers() }));
    }

    /// Removes the session of an upload form that broke off before it was complete, unless it has failed by itself.
    /// Returns whether it was removed.
    ///
    /// # Errors
    /// Those of [`Separations::delete`].
    pub fn form_abandoned(&self, session: &Arc<Session>) -> Result<bool, SessionError> {
        self.scheduler.remove(session, Event::FormAbandoned)
    }

    /// Adds bytes to a session's upload, and resumes it if it is paused.
    ///
    /// # Errors
    /// Those of [`Session::add_bytes`], where a refused upload has failed and released its slot. Those of
    /// [`Separations::resume`].
    pub fn add_bytes(
        &self,
        session: &Arc<Session>,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, SeparationError> {
        self.add(session, None, offset, bytes)
    }

    /// Adds bytes received by the [call](Separations::take_over) with this number. Once its
    /// [client has left](Separations::client_left), they are stored and do not resume the session.
    ///
    /// # Errors
    /// Those of [`Separations::add_bytes`].
    pub fn add_bytes_of_call(
        &self,
        session: &Arc<Session>,
        call: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, SeparationError> {
        self.add(session, Some(call), offset, bytes)
    }

    fn add(
        &self,
        session: &Arc<Session>,
        call: Option<u64>,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, SeparationError> {
        let end = offset.saturating_add(bytes.len() as u64);
        let new = end.saturating_sub(session.uploaded()).min(bytes.len() as u64);
        let space = &self.scheduler.context().space;
        let _reserved = (new > 0).then(|| space.reserve(new)).transpose()?;
        // Most bytes arrive for a running session and need no lock.
        if session.lifecycle().is_pausing() {
            self.scheduler.arrived(session, call, Event::BytesArrived)?;
        }
        let added = session.add_bytes(offset, bytes, self.limits().upload_bytes);
        let Added { length, new } = added.inspect_err(|_| self.refuse(session))?;
        self.emit(|observer| observer.uploaded(new));
        session.limit_upload().map_err(SessionError::from)?;
        Ok(length)
    }

    /// Waits until all bytes that were added to a session's upload may be acknowledged. Returns their number.
    ///
    /// # Errors
    /// [`SessionError::Replica`]: they can be sent again.
    pub fn acknowledge(&self, session: &Session) -> Result<u64, SeparationError> {
        Ok(session.wait_for_upload().map_err(SessionError::from)?)
    }

    /// Records what the client announces of a session's upload; it has no effect on the session.
    ///
    /// # Errors
    /// `Storage`, `Replica`.
    pub fn announce(
        &self,
        session: &Arc<Session>,
        announced: Announced,
    ) -> Result<(), SeparationError> {
        session.announce(announced.clone()).map_err(SessionError::from)?;
        Ok(session.wait_for_announced(&announced).map_err(SessionError::from)?)
    }

    /// Finishes a session's upload, and resumes it if it is paused.
    ///
    /// # Errors
    /// Those of [`Session::finish_upload`], where a refused upload has failed and released its slot. Those of
    /// [`Separations::resume`].
    pub fn finish_upload(
        &self,
        session: &Arc<Session>,
        total: u64,
        sha256: Option<&str>,
    ) -> Result<(), SeparationError> {
        self.finish(session, None, total, sha256)
    }

    /// Finishes an upload by the [call](Separations::take_over) with this number. Once its
    /// [client has left](Separations::client_left), this resumes the session only where its settings or watchers keep it
    /// going, so that it ends as if the client had left afterwards.
    ///
    /// # Errors
    /// Those of [`Separations::finish_upload`].
    pub fn finish_upload_of_call(
        &self,
        session: &Arc<Session>,
        call: u64,
        total: u64,
        sha256: Option<&str>,
    ) -> Result<(), SeparationError> {
        self.finish(session, Some(call), total, sha256)
    }

    fn finish(
        &self,
        session: &Arc<Session>,
        call: Option<u64>,
        total: u64,
        sha256: Option<&str>,
    ) -> Result<(), SeparationError> {
        let store = |upload| self.scheduler.finish_upload(session, &upload);
        session.finish_upload(total, sha256, store).inspect_err(|_| self.refuse(session))?;
        self.scheduler.arrived(session, call, Event::ResumeRequested)?;
        Ok(session.wait_for_end_of_upload().map_err(SessionError::from)?)
    }

    /// Fails a session if its upload was refused, and waits until it has released its slot.
    fn refuse(&self, session: &Arc<Session>) {
        if session.refusal().is_some() {
            self.report(session, || Some(Event::UploadRefused));
            self.scheduler.wait_closed(session);
        }
    }

    /// Cancels a session; one that runs stops within a segment.
    pub fn cancel(&self, session: &Arc<Session>) {
        self.report(session, || Some(Event::CancelRequested));
    }

    /// Cancels a session if it has not ended, and removes it once it has stopped.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] if another call has removed it; `Storage`.
    pub fn delete(&self, session: &Arc<Session>) -> Result<(), SessionError> {
        self.scheduler.remove(session, Event::DeleteRequested).map(|_| ())
    }

    /// Reports an event whose new state need not be written.
    fn report(&self, session: &Arc<Session>, event: impl FnOnce() -> Option<Event>) {
        if let Err(error) = self.scheduler.report_with(session, event) {
            tracing::error!(session = %session.id(), %error, "cannot write the state");
        }
    }

    /// Waits until a session that was cancelled has released its slot, and its end may be acknowledged.
    ///
    /// # Errors
    /// [`SessionError::Replica`].
    pub fn wait_stopped(&self, session: &Session) -> Result<(), SeparationError> {
        self.scheduler.wait_closed(session);
        Ok(session.wait_until_ended().map_err(SessionError::from)?)
    }
}
