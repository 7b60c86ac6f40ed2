//! Separation: the interface to sessions, and the pipeline that computes their stems. Synchronous: threads, no tasks.
//!
//! [`Separations`] reports what [`clients`] do with sessions to the [`scheduler`], which alone changes their states. A
//! [`plan`] resolves a request to a model and stems. Each open session has a [`pipeline`]: a child process that decodes
//! ([`decoder`]) into the [`track_file`], segments normalized as models expect ([`normalization`]), the
//! [`overlap_state`], and the [`stem_files`]. Failed engines are probed by [`engine_probe`]; an [`observer`] receives
//! events for metrics.

mod clients;
pub mod decoder;
mod engine_probe;
mod error;
mod limits;
mod normalization;
mod observer;
mod overlap_state;
mod pipeline;
mod plan;
mod scheduler;
mod silence_file;
mod silence_gate;
mod stem_files;
mod stem_recipe;
mod track_file;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub use decoder::DecoderConfig;
pub use error::SeparationError;
pub use limits::Limits;
pub use observer::Observer;
pub use pipeline::reason_of;
pub use scheduler::Counts;

pub use crate::process::{Sandbox, SandboxLevel};

use crate::engine::Chain;
use crate::engine::pool::Pool;
use crate::files;
use crate::model::AvailableModels;
use crate::process::Ffmpeg;
use crate::session::disk_space::SpaceLimits;
use crate::session::leases::LeaseError;
use crate::session::lifecycle::Event;
use crate::session::{Session, SessionError, SessionId, SessionState, Settings, Store};
use crate::trace::TraceContext;
use pipeline::Context;
use plan::Planned;
use scheduler::Scheduler;

/// The sessions of a data directory and the engines that separate them.
pub struct Separations {
    scheduler: Arc<Scheduler>,
    /// Whether [`close`](Separations::close) has been called.
    is_closed: AtomicBool,
}

/// Attempts to create a session whose request others have at the same time.
const CREATIONS: usize = 4;

/// Space without which nothing new is begun: that of a chunk.
const LEAST_SPACE: u64 = 1 << 20;

/// The parts of [`Separations`].
pub struct Config {
    /// The installed models.
    pub models: AvailableModels,
    /// The models that are tried if a request names none.
    pub chain: Chain,
    /// Configuration of decoder processes.
    pub decoder: DecoderConfig,
    /// The limits.
    pub limits: Limits,
}

impl Separations {
    /// Opens the sessions of `store`. Those with a complete upload continue; the others wait for their clients.
    ///
    /// # Errors
    /// I/O errors; errors of the operating system when a thread is started.
    pub fn open(store: Store, pool: Pool, config: Config) -> io::Result<Separations> {
        let Config { models, chain, decoder, limits } = config;
        let chain = Arc::new(chain);
        let (max_track, max_expansion) = (limits.track, limits.expansion);
        let space = SpaceLimits { free: limits.free_bytes, stored: limits.retention.bytes };
        let (space, observer) = (Arc::new(store.space_guard(space)), OnceLock::new());
        let context =
            Context { pool, models, chain, decoder, max_track, max_expansion, space, observer };
        let scheduler = Scheduler::open(store, context, limits)?;
        Ok(Separations { scheduler, is_closed: AtomicBool::new(false) })
    }

    /// The installed models.
    pub fn models(&self) -> &AvailableModels {
        &self.scheduler.context().models
    }

    /// The models that are tried if a request names none.
    pub fn chain(&self) -> &Chain {
        &self.scheduler.context().chain
    }

    /// The worker threads.
    pub fn pool(&self) -> &Pool {
        &self.scheduler.context().pool
    }

    /// What confines decoders.
    pub fn sandbox(&self) -> Sandbox {
        self.scheduler.context().decoder.sandbox
    }

    /// FFmpeg, if it is used.
    pub fn ffmpeg(&self) -> Option<Ffmpeg> {
        self.scheduler.context().decoder.ffmpeg()
    }

    /// The sessions.
    pub fn store(&self) -> &Store {
        self.scheduler.store()
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        self.scheduler.limits()
    }

    /// Numbers of open and queued sessions.
    pub fn counts(&self) -> Counts {
        self.scheduler.counts()
    }

    /// Sets the observer of events; the first one stays.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        // A second observer is ignored: each server has one.
        let _ = self.scheduler.context().observer.set(observer);
    }

    /// Reports an event to the [observer](Separations::observe).
    fn emit(&self, event: impl FnOnce(&dyn Observer)) {
        self.scheduler.context().emit(event);
    }

    /// Creates a session and schedules it; or returns the one that has the same `request_id`, with `false`.
    ///
    /// # Errors
    /// All of [`SeparationError`].
    pub fn create(&self, settings: Settings) -> Result<(Arc<Session>, bool), SeparationError> {
        self.create_for(None, settings)
    }

    /// The same for the client at this address, whose share of the slots and the queue is limited.
    ///
    /// # Errors
    /// All of [`SeparationError`].
    pub fn create_for(
        &self,
        client: Option<IpAddr>,
        settings: Settings,
    ) -> Result<(Arc<Session>, bool), SeparationError> {
        for _ in 1..CREATIONS {
            if let Some(created) = self.create_once(client, &settings)? {
                return Ok(created);
            }
        }
        // What others do with this request ends at some time.
        let cause = "the session of this request is being created elsewhere".to_owned();
        Err(SessionError::from(LeaseError { cause }).into())
    }

    /// The same. Returns `None` if another session has got the request meanwhile.
    fn create_once(
        &self,
        client: Option<IpAddr>,
        settings: &Settings,
    ) -> Result<Option<(Arc<Session>, bool)>, SeparationError> {
        if let Some(session) = self.store().by_request(settings)? {
            return existing(session);
        }
        if let Some(error) = self.store().outage() {
            return Err(SessionError::from(error).into());
        }
        let Planned { plan, skipped } = plan::plan(settings, self.scheduler.context())?;
        self.scheduler.check_backlog()?;
        let creation = self.scheduler.begin_creation(client)?;
        self.check_space()?;
        let (session, new) = self.store().create_for(client, settings.clone(), plan)?;
        if !new {
            return existing(session);
        }
        session.set_trace(TraceContext::current());
        creation.complete(&session);
        let noted =
            skipped.map_or(Ok(()), |model| plan::note(&session, &model, self.scheduler.context()));
        let admitted = noted.and_then(|()| self.scheduler.admit(&session, Event::Created));
        let admitted =
            admitted.and_then(|()| Ok(session.wait_until_created().map_err(SessionError::from)?));
        if let Err(error) = admitted {
            // No client has its id.
            let deleted = self.delete(&session);
            if session.is_superseded() {
                return Ok(None);
            }
            deleted?;
            return Err(error);
        }
        Ok(Some((session, true)))
    }

    /// Checks the free disk space and the bytes that all sessions occupy.
    ///
    /// # Errors
    /// [`SpaceError`](crate::session::disk_space::SpaceError).
    pub fn check_space(&self) -> Result<(), SeparationError> {
        Ok(self.scheduler.context().space.check(LEAST_SPACE)?)
    }

    /// The session with this id.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub fn find(&self, id: SessionId) -> Result<Arc<Session>, SessionError> {
        self.store().find(id)
    }

    /// The error that a new session would be refused with now.
    pub fn obstacle(&self) -> Option<SeparationError> {
        match self.chain().fault() {
            Some(fault) => Some(fault.into()),
            None => {
                let check = self.check_storage().and_then(|()| self.scheduler.check_capacity());
                let check = check.and_then(|()| self.scheduler.check_backlog());
                let check = check.and_then(|()| self.check_space());
                check
                    .err()
                    .or_else(|| self.store().outage().map(|error| SessionError::from(error).into()))
            }
        }
    }

    /// Checks that the folder of the sessions is there and can be written. Reads no session.
    ///
    /// # Errors
    /// [`SessionError::Storage`].
    pub fn check_storage(&self) -> Result<(), SeparationError> {
        let writable = files::check_writable(self.store().folder());
        let unavailable = |error: io::Error| {
            let text = format!("the data folder is unavailable: {error}");
            SessionError::Storage(io::Error::new(error.kind(), text))
        };
        Ok(writable.map_err(unavailable)?)
    }

    /// Stops scheduling, and stops every open session at its last commit. Returns whether all stopped before the deadline.
    pub fn close(&self, deadline: Instant) -> bool {
        self.is_closed.store(true, Ordering::Release);
        let closed = self.scheduler.close(deadline);
        let is_stored = self.store().drain(deadline);
        self.store().end_leases();
        is_stored && closed
    }

    /// Waits until the session has ended or `limit` has passed; returns its state.
    pub fn wait(&self, session: &Session, limit: Duration) -> SessionState {
        let deadline = Instant::now() + limit;
        loop {
            let seen = session.notifier().version();
            let state = session.state();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.is_ended() || left.is_zero() {
                return state;
            }
            session.notifier().wait_newer(seen, left);
        }
    }
}

/// The session that has the request already, once it is durable. `None` if another session has got the request first.
fn existing(session: Arc<Session>) -> Result<Option<(Arc<Session>, bool)>, SeparationError> {
    match session.wait_until_created() {
        Ok(()) => Ok(Some((session, false))),
        Err(_) if session.is_superseded() => Ok(None),
        Err(error) => Err(SessionError::from(error).into()),
    }
}

impl Drop for Separations {
    fn drop(&mut self) {
        /// Time limit: enough for a segment of the largest model on a slow machine.
        const CLOSE_LIMIT: Duration = Duration::from_secs(60);
        // What has not stopped before the deadline of an earlier call is not waited for again.
        if !self.is_closed.load(Ordering::Acquire) {
            self.close(Instant::now() + CLOSE_LIMIT);
        }
    }
}
