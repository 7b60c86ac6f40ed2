//! The sessions of a store by id, age and request.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::session::SessionError;
use crate::session::manifest::Timestamp;
use crate::session::stored_size::StoredSize;
use crate::session::{Session, SessionId, Settings};

/// The sessions in memory, and the ids of those that are only on disk yet.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// When the last session was created.
    pub(super) newest: Timestamp,
    pub(super) by_id: HashMap<SessionId, Arc<Session>>,
    pub(super) by_age: BTreeMap<(Timestamp, SessionId), Arc<Session>>,
    pub(super) by_request: HashMap<Uuid, SessionId>,
    /// Directories found when the store was opened that have not been read.
    pub(super) unread: BTreeSet<SessionId>,
    /// What the directories take on the disk whose session could not be read, except those of later versions.
    pub(super) unreadable: BTreeMap<SessionId, StoredSize>,
    /// The versions of sessions written by later versions of this program.
    pub(super) newer: HashMap<SessionId, u32>,
}

impl Index {
    /// The current time as a creation time: later than that of the previous session, so that the order is unambiguous,
    /// unless the clock was set back by more than a second.
    pub(super) fn moment(&mut self) -> Timestamp {
        const A_LITTLE: u64 = 1_000;
        let now = Timestamp::now();
        let next = Timestamp(self.newest.0.saturating_add(1));
        let is_near = next.0.saturating_sub(now.0) < A_LITTLE;
        self.newest = if is_near { now.max(next) } else { now };
        self.newest
    }

    pub(super) fn of_request(
        &self,
        settings: &Settings,
    ) -> Result<Option<Arc<Session>>, SessionError> {
        let found = settings.request_id.and_then(|request| self.requested(request));
        found.map(|session| check_request(session, settings)).transpose()
    }

    /// The session of a request, whatever its settings.
    pub(super) fn requested(&self, request: Uuid) -> Option<Arc<Session>> {
        let found = self.by_request.get(&request).and_then(|id| self.by_id.get(id)).cloned();
        found.filter(|session| !session.is_superseded())
    }

    /// Whether it is known what there is of this id, beside those that are unread.
    pub(super) fn has(&self, id: SessionId) -> bool {
        self.by_id.contains_key(&id)
            || self.newer.contains_key(&id)
            || self.unreadable.contains_key(&id)
    }

    pub(super) fn find(&self, id: SessionId) -> Result<Arc<Session>, SessionError> {
        self.by_id.get(&id).cloned().ok_or_else(|| match self.newer.get(&id) {
            Some(&version) => SessionError::VersionUnsupported { session: id, version },
            None if self.unreadable.contains_key(&id) => SessionError::Unreadable(id),
            None => SessionError::NotFound(id),
        })
    }

    pub(super) fn insert(&mut self, session: Arc<Session>) {
        let manifest = session.manifest();
        self.newest = self.newest.max(manifest.created);
        if let Some(request) = manifest.settings.request_id {
            self.by_request.insert(request, session.id());
        }
        self.by_age.insert((manifest.created, session.id()), Arc::clone(&session));
        self.by_id.insert(session.id(), session);
    }

    pub(super) fn remove(&mut self, session: &Session) {
        let manifest = session.manifest();
        self.by_id.remove(&session.id());
        self.by_age.remove(&(manifest.created, session.id()));
        if let Some(request) = manifest.settings.request_id
            && self.by_request.get(&request) == Some(&session.id())
        {
            self.by_request.remove(&request);
        }
    }
}

/// The session of a request, if that has the same settings.
pub(super) fn check_request(
    session: Arc<Session>,
    settings: &Settings,
) -> Result<Arc<Session>, SessionError> {
    if session.manifest().settings == *settings {
        return Ok(session);
    }
    let request_id = settings.request_id.map(|request| request.to_string()).unwrap_or_default();
    Err(SessionError::RequestConflict { request_id, session: session.id() })
}
