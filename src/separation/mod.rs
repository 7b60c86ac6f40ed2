//! Separation: the door to sessions, and the pipeline that makes stems of them. Synchronous: threads, no tasks.
//!
//! [`Separations`] opens, resumes and ends sessions through the [`scheduler`]. Each open session has a [`pipeline`]:
//! a child process that decodes ([`decoder`]) into the [`track_file`], segments at the level that models expect
//! ([`normalization`]), the [`overlap_state`], and the [`stem_files`]. Failed engines are probed by [`engine_probe`];
//! events are counted through an [`observer`].

pub mod decoder;
mod engine_probe;
mod error;
mod limits;
mod normalization;
mod observer;
mod overlap_state;
mod pipeline;
mod scheduler;
mod stem_files;
mod stem_recipe;
mod track_file;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub use decoder::DecoderConfig;
pub use error::SeparationError;
pub use limits::Limits;
pub use observer::Observer;
pub use pipeline::reason_of;
pub use scheduler::Counts;

use pipeline::{Cause, Context, columns_of, engine_of};
use scheduler::Scheduler;

use crate::audio::{Frames, StemName};
use crate::engine::Chain;
use crate::engine::fallback::chain::{ModelChoice, SkippedModel};
use crate::engine::pool::Pool;
use crate::files;
use crate::model::{Catalog, ModelCard};
use crate::session::failure::SessionError;
use crate::session::manifest::{EngineChange, EngineRecord, Plan};
use crate::session::{Added, Session, SessionId, SessionState, Settings, Stop, Store};

/// All separations of a data directory.
pub struct Separations {
    scheduler: Arc<Scheduler>,
}

/// What separations are made with.
pub struct Config {
    /// The models there are.
    pub catalog: Catalog,
    /// Those to try when a request names none.
    pub chain: Chain,
    /// How decoders run.
    pub decoder: DecoderConfig,
    /// What is taken on.
    pub limits: Limits,
}

impl Separations {
    /// Takes up the sessions of `store`: those whose upload is complete go on, others wait for their
    /// clients.
    ///
    /// # Errors
    /// What the disk or the system say.
    pub fn open(store: Store, pool: Pool, config: Config) -> io::Result<Separations> {
        let Config { catalog, chain, decoder, limits } = config;
        let chain = Arc::new(chain);
        let (max_track, observer) = (limits.track, OnceLock::new());
        let context = Context { pool, catalog, chain, decoder, max_track, observer };
        Ok(Separations { scheduler: Scheduler::open(store, context, limits)? })
    }

    /// The models there are.
    pub fn catalog(&self) -> &Catalog {
        &self.scheduler.context().catalog
    }

    /// The models that are tried when a request names none.
    pub fn chain(&self) -> &Chain {
        &self.scheduler.context().chain
    }

    /// The workers.
    pub fn pool(&self) -> &Pool {
        &self.scheduler.context().pool
    }

    /// The sessions.
    pub fn store(&self) -> &Store {
        self.scheduler.store()
    }

    /// What is taken on.
    pub fn limits(&self) -> &Limits {
        self.scheduler.limits()
    }

    /// How many sessions are open and waiting.
    pub fn counts(&self) -> Counts {
        self.scheduler.counts()
    }

    /// Names who is told what happens from now on. The first that is named stays.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        // Whoever comes second would have to share it.
        let _ = self.scheduler.context().observer.set(observer);
    }

    /// Tells whoever [observes](Separations::observe).
    pub fn tell(&self, event: impl FnOnce(&dyn Observer)) {
        self.scheduler.context().tell(event);
    }

    /// Opens a session; or answers the one that has the same `request_id`, with `false`.
    ///
    /// # Errors
    /// All of [`SeparationError`].
    pub fn create(&self, settings: Settings) -> Result<(Arc<Session>, bool), SeparationError> {
        if let Some(session) = self.store().by_request(&settings)? {
            return Ok((session, false));
        }
        let (plan, passed_over) = self.plan(&settings)?;
        self.scheduler.check_slot()?;
        self.check_room()?;
        let (session, new) = self.store().create(settings, plan)?;
        if !new {
            return Ok((session, false));
        }
        let told = passed_over.map_or(Ok(()), |other| self.note(&session, &other));
        if let Err(error) = told.and_then(|()| self.scheduler.admit(&session)) {
            // Nobody has been told of it.
            self.store().remove(&session)?;
            return Err(error);
        }
        Ok((session, true))
    }

    /// Writes down that a session begins with another engine than it should.
    fn note(&self, session: &Session, other: &SkippedModel) -> Result<(), SeparationError> {
        let context = self.scheduler.context();
        let name = session.manifest().plan.model.clone();
        let to = context.catalog.find(&name)?;
        let cause = Cause::of_health(&other.error);
        let from = other.model.as_ref().map(|model| engine_of(model, context));
        let change = EngineChange {
            from: from.unwrap_or_else(|| EngineRecord::unknown(&other.name)),
            to: engine_of(&to, context),
            frame: Frames::ZERO,
            reason: cause.reason,
            message: format!("{}; {name} begins in its place", cause.message),
        };
        let told = change.clone();
        let written = session.update(|manifest| manifest.engine_changes.push(change));
        written.map_err(SessionError::Storage)?;
        self.tell(|observer| observer.engine_changed(&told));
        Ok(())
    }

    /// What the settings come down to with the models there are, and the model that was passed over for it.
    fn plan(&self, settings: &Settings) -> Result<(Plan, Option<SkippedModel>), SeparationError> {
        let (chain, stems) = (self.chain(), &settings.stems);
        let ModelChoice { model, skipped } = match &settings.model {
            Some(name) => {
                chain.named(self.catalog().find(name)?, stems, settings.allow_fallback)?
            }
            None => chain.first_for(stems)?,
        };
        let card = model.card();
        let overlap = settings.overlap.unwrap_or(card.overlap);
        if !(0.0..=ModelCard::MAX_OVERLAP).contains(&overlap) {
            return Err(SeparationError::Overlap(overlap));
        }
        // Windows that are summed are as they are.
        let columns = columns_of(card);
        let overlap = if columns.is_some() { card.overlap } else { overlap };
        let mut stems = settings.stems.clone();
        if stems.is_empty() {
            let named = settings.model.as_ref().and(skipped.as_ref());
            let named = named.and_then(|other| other.model.as_ref());
            // What stands in for a model that was named yields what that would have.
            stems.clone_from(named.map_or(&card.stems, |named| &named.card().stems));
            let has = |name: &str| stems.iter().any(|stem| stem.as_str() == name);
            if settings.with_accompaniment && has(StemName::VOCALS) && !has(StemName::ACCOMPANIMENT)
            {
                stems.push(StemName::accompaniment());
            }
        }
        let plan = Plan {
            model: card.name.to_string(),
            model_rate: card.sample_rate,
            segment: card.segment,
            stems,
            overlap,
            columns,
        };
        Ok((plan, skipped))
    }

    /// Whether there is room on the disk for more.
    ///
    /// # Errors
    /// [`SeparationError::DiskFull`], [`SeparationError::StorageFull`].
    pub fn check_room(&self) -> Result<(), SeparationError> {
        let limits = self.limits();
        let free = files::free_bytes(self.store().folder()).unwrap_or(u64::MAX);
        if free < limits.free_bytes {
            return Err(SeparationError::DiskFull { free });
        }
        let (held, limit) = (self.store().stored_bytes(), limits.retention.bytes);
        if held > limit {
            return Err(SeparationError::StorageFull { held, limit });
        }
        Ok(())
    }

    /// The session of that name.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub fn find(&self, id: SessionId) -> Result<Arc<Session>, SessionError> {
        self.store().find(id)
    }

    /// Lets a paused session go on; does nothing for one that is open, waits or has ended.
    ///
    /// # Errors
    /// [`SeparationError::QueueFull`], [`SeparationError::ShuttingDown`], `Storage`.
    pub fn resume(&self, session: &Arc<Session>) -> Result<(), SeparationError> {
        self.scheduler.admit(session)
    }

    /// Lets a session rest that its client has left; it stops within a segment. Not where nothing more is wanted of
    /// that client and others read: whoever is about to wait for the rest reads first, then
    /// [resumes](Separations::resume) it. Nor where it was the server that left: the next one goes on.
    pub fn leave(&self, session: &Arc<Session>) {
        let is_wanted = || session.manifest().upload_complete() && session.has_readers();
        self.scheduler.stop_where(session, Stop::Pause, || !session.is_shut_down() && !is_wanted());
    }

    /// Adds bytes to a session's upload; one that rests goes on.
    ///
    /// # Errors
    /// Those of [`Session::add_bytes`]; one that is refused has ended and left its place. Those of
    /// [`Separations::resume`].
    pub fn add_bytes(
        &self,
        session: &Arc<Session>,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, SeparationError> {
        if session.is_pausing() {
            self.resume(session)?;
        }
        let added = session.add_bytes(offset, bytes, self.limits().upload_bytes);
        let Added { length, new } = added.inspect_err(|_| self.scheduler.end_refused(session))?;
        self.tell(|observer| observer.uploaded(new));
        Ok(length)
    }

    /// Ends a session's upload; one that rests, or is about to, goes on.
    ///
    /// # Errors
    /// Those of [`Session::finish_upload`]; one that is refused has ended and left its place. Those of
    /// [`Separations::resume`].
    pub fn finish_upload(
        &self,
        session: &Arc<Session>,
        total: u64,
        sha256: Option<&str>,
    ) -> Result<(), SeparationError> {
        session
            .finish_upload(total, sha256)
            .inspect_err(|_| self.scheduler.end_refused(session))?;
        // In any case: who lets it rest at this moment either sees that it is complete or is seen.
        self.resume(session)
    }

    /// Ends a session; it stops within a segment.
    pub fn cancel(&self, session: &Arc<Session>) {
        self.scheduler.stop(session, Stop::Cancel);
    }

    /// Ends a session and removes it, after it has stopped.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] where another call has removed it; `Storage`.
    pub fn delete(&self, session: &Arc<Session>) -> Result<(), SessionError> {
        self.cancel(session);
        self.scheduler.wait_closed(session);
        self.store().remove(session)
    }

    /// Waits until a session that was ended has left its place.
    pub fn wait_stopped(&self, session: &Session) {
        self.scheduler.wait_closed(session);
    }

    /// What keeps new sessions from being opened, if anything does.
    pub fn obstacle(&self) -> Option<SeparationError> {
        match self.chain().fault() {
            Some(fault) => Some(fault.into()),
            None => self.scheduler.check_slot().and_then(|()| self.check_room()).err(),
        }
    }

    /// Takes nothing new and lets every open session rest where it is committed; answers whether all
    /// did before the deadline.
    pub fn close(&self, deadline: Instant) -> bool {
        self.scheduler.close(deadline)
    }

    /// Waits until the session has ended or `limit` has passed; answers where it stands.
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

impl Drop for Separations {
    fn drop(&mut self) {
        /// Long enough for a segment of the largest model on a slow machine.
        const PATIENCE: Duration = Duration::from_secs(60);
        self.close(Instant::now() + PATIENCE);
    }
}
