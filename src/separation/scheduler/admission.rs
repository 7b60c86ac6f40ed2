//! Admits sessions to the order of slots, and pauses those that keep others out of it.

use std::net::IpAddr;
use std::sync::Arc;

use super::executor::Payload;
use super::member::{Member, is_slow};
use super::scant_uploads::is_scant;
use super::{Scheduler, Slots, age};
use crate::separation::{Limits, SeparationError};
use crate::session::lifecycle::{Action, Event, State, UploadState, step};
use crate::session::live::CallAttempt;
use crate::session::settings::OnDisconnect;
use crate::session::{Session, SessionError, SessionId};

/// A session that is being created, which counts for its client. When this is dropped, only the session itself counts, if
/// it has been created.
pub(in crate::separation) struct Creation<'a> {
    scheduler: &'a Scheduler,
    client: Option<IpAddr>,
}

impl Creation<'_> {
    /// The session has been created, and is counted instead.
    pub(in crate::separation) fn complete(mut self, session: &Arc<Session>) {
        let mut slots = self.scheduler.lock();
        slots.scant.add(session);
        slots.end_creation(self.client.take());
    }
}

impl Drop for Creation<'_> {
    fn drop(&mut self) {
        if self.client.is_some() {
            self.scheduler.lock().end_creation(self.client);
        }
    }
}

impl Scheduler {
    /// Checks that one more session would get a slot or a position in the queue.
    pub(in crate::separation) fn check_capacity(&self) -> Result<(), SeparationError> {
        self.lock().check_capacity(&self.limits, None, None)
    }

    /// Checks that the workers of the cluster, if they compute, have not too much to do. Without any, sessions wait for one.
    pub(in crate::separation) fn check_backlog(&self) -> Result<(), SeparationError> {
        let cluster = self.context.pool.cluster().unwrap_or_default();
        let (queued, lanes) = (cluster.queued, cluster.lanes());
        let most = self.limits.backlog.saturating_mul(lanes as u64);
        if lanes > 0 && queued >= most {
            return Err(SeparationError::BacklogFull { queued, lanes });
        }
        Ok(())
    }

    /// Checks that one more session, of this client, would get a slot or a position in the queue, and counts it from then on.
    /// Where only uploads of the client that have hardly begun keep it out, the oldest of them is removed, if it is paused.
    pub(in crate::separation) fn begin_creation(
        self: &Arc<Scheduler>,
        client: Option<IpAddr>,
    ) -> Result<Creation<'_>, SeparationError> {
        loop {
            let checked = self.lock().begin_creation(&self.limits, client);
            match checked {
                Ok(()) => return Ok(Creation { scheduler: self, client }),
                Err(SeparationError::ClientFull { client, .. }) if self.remove_scant(client) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the oldest session of a client whose upload has hardly begun and has been paused for as long as an upload may be
    /// idle. Returns whether there was one.
    fn remove_scant(self: &Arc<Scheduler>, client: IpAddr) -> bool {
        let is_left = |session: &Arc<Session>| {
            matches!(session.lifecycle(), State::Paused(_))
                && age(session.manifest().updated) >= self.limits.idle_upload
                && is_scant(session)
        };
        let left: Vec<_> = self.lock().scant.of(client).filter(is_left).collect();
        let oldest = left.iter().min_by_key(|session| session.manifest().created);
        let Some(session) = oldest else { return false };
        let removes = self.report_late(session, Event::DeleteRequested, || is_left(session));
        if removes {
            tracing::info!(session = %session.id(), "removed: its upload has hardly begun, and its client creates others");
            if let Err(error) = self.store.remove(session) {
                tracing::error!(session = %session.id(), %error, "cannot remove the session");
            }
        }
        removes
    }

    /// Reports an event that may put the session into the queue.
    ///
    /// # Errors
    /// `QueueFull`, `ShuttingDown`; `Storage` if the new state cannot be written. Then nothing has changed.
    pub(in crate::separation) fn admit(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        event: Event,
    ) -> Result<(), SeparationError> {
        self.admit_locked(&mut self.lock(), session, event)
    }

    fn admit_locked(
        self: &Arc<Scheduler>,
        slots: &mut Slots,
        session: &Arc<Session>,
        event: Event,
    ) -> Result<(), SeparationError> {
        if step(session.lifecycle(), event).1.contains(&Action::Enqueue) {
            slots.check_capacity(&self.limits, session.client(), Some(session.id()))?;
        }
        self.apply(slots, session, event, Payload::Nothing).map_err(SessionError::Storage)?;
        self.limit_stuck(slots);
        self.fill(slots);
        Ok(())
    }

    /// Gives a session to a new call and resumes it, in one step: a call that breaks off at this moment sees both or
    /// neither. `None` if a later call of the same client has come before.
    ///
    /// # Errors
    /// Those of [`Scheduler::admit`]; the previous call no longer holds the session then.
    pub(in crate::separation) fn take_over(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        attempt: Option<CallAttempt>,
    ) -> Result<Option<u64>, SeparationError> {
        let mut slots = self.lock();
        let Some(call) = session.take_over(&slots.writer, attempt) else { return Ok(None) };
        self.admit_locked(&mut slots, session, Event::TakenOver)?;
        Ok(Some(call))
    }

    /// The call with this number broke off; nothing happens if it does not hold the session.
    pub(in crate::separation) fn client_left(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        call: u64,
        policy: OnDisconnect,
    ) {
        let mut slots = self.lock();
        if session.leave(&slots.writer, call) {
            let left = Event::ClientLeft { policy, watched: session.has_readers() };
            self.apply_or_log(&mut slots, session, left, Payload::Nothing);
            self.fill(&mut slots);
        }
    }

    /// Reports `event`, which resumes the session because bytes or the end of its upload arrived; not for bytes of a slow
    /// upload while as many sessions are parked as may be. Where they came for a
    /// call that no longer holds the session, its client is not there to have it resumed.
    ///
    /// # Errors
    /// Those of [`Scheduler::admit`].
    pub(in crate::separation) fn arrived(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        call: Option<u64>,
        event: Event,
    ) -> Result<(), SeparationError> {
        let mut slots = self.lock();
        let event = if call.is_none_or(|call| session.is_held_by(call)) {
            event
        } else {
            let policy = session.manifest().settings.on_disconnect;
            Event::ArrivedLate { policy, watched: session.has_readers() }
        };
        // It would start a decoder for a few bytes, in the place of another.
        if event == Event::BytesArrived
            && slots.parked() >= self.limits.parked_sessions
            && is_slow(session)
        {
            return Ok(());
        }
        self.admit_locked(&mut slots, session, event)
    }

    /// Pauses sessions whose uploads are stuck, as far as more are parked or queued than may be.
    pub(super) fn limit_stuck(self: &Arc<Scheduler>, slots: &mut Slots) {
        while let Some(session) = slots.superfluous(&self.limits) {
            tracing::info!(session = %session.id(), "paused: its upload is stuck, and others need its place");
            self.apply_or_log(slots, &session, Event::UploadIdle, Payload::Nothing);
        }
    }
}

impl Slots {
    fn begin_creation(
        &mut self,
        limits: &Limits,
        client: Option<IpAddr>,
    ) -> Result<(), SeparationError> {
        self.check_capacity(limits, client, None)?;
        client.into_iter().for_each(|client| self.scant.begin_creation(client));
        Ok(())
    }

    fn end_creation(&mut self, client: Option<IpAddr>) {
        client.into_iter().for_each(|client| self.scant.end_creation(client));
    }

    /// Checks that one more session of this client, that with the id `own` if it exists, is within the limits. Those whose
    /// uploads are stuck would give way to it, but they count for their client while they have hardly begun.
    fn check_capacity(
        &self,
        limits: &Limits,
        client: Option<IpAddr>,
        own: Option<SessionId>,
    ) -> Result<(), SeparationError> {
        if self.closed {
            return Err(SeparationError::ShuttingDown);
        }
        let open = self.queue.holding().count();
        let others = self.queue.waiting().chain(self.queue.parked());
        let others: Vec<_> = others.filter(|member| !member.is_stuck()).collect();
        if let Some(client) = client {
            let all = self.queue.holding().chain(others.iter().copied());
            let all = all.map(|member| &member.session).filter(|session| !is_scant(session));
            let begun = all.filter(|session| session.client() == Some(client)).count();
            let scant = self.scant.of(client).filter(|session| own != Some(session.id())).count();
            let sessions = begun + scant + self.scant.in_creation(client);
            if sessions >= limits.client_sessions {
                return Err(SeparationError::ClientFull { client, sessions });
            }
        }
        let queued = others.len();
        if open + queued >= limits.slots.saturating_add(limits.queued_sessions) {
            return Err(SeparationError::QueueFull { open, queued });
        }
        Ok(())
    }

    /// A session whose upload is stuck, if more are parked or queued than may be: the one that was parked or admitted
    /// first.
    fn superfluous(&self, limits: &Limits) -> Option<Arc<Session>> {
        let too_many = self.parked() > limits.parked_sessions;
        let queued: Vec<_> = self.queue.waiting().filter(|member| !member.has_run).collect();
        let parked = self.queue.parked().filter(|member| too_many && receives(member));
        let queued = if queued.len() > limits.queued_sessions { queued } else { Vec::new() };
        let mut members = parked.chain(queued);
        members.find(|member| member.is_stuck()).map(|member| Arc::clone(&member.session))
    }

    /// How many parked sessions wait for their clients.
    fn parked(&self) -> usize {
        self.queue.parked().filter(|member| receives(member)).count()
    }
}

/// Whether a parked session is to stay so until more of its upload arrives.
fn receives(member: &Member) -> bool {
    member.session.lifecycle() == State::Open(UploadState::Receiving)
}
