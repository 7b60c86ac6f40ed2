//! Sessions of each client whose uploads have hardly begun. They cost no slot, but a directory on the disk each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use crate::session::Session;

/// Bytes below which an incomplete upload counts as hardly begun: less than its session takes on the disk.
const SCANT_BYTES: u64 = 4096;

/// The sessions whose uploads have hardly begun, by the clients that created them.
#[derive(Debug, Default)]
pub(super) struct ScantUploads {
    /// Those that have ended or have received more do not count, and are removed in each round of maintenance.
    by_client: HashMap<IpAddr, Vec<Weak<Session>>>,
    /// Sessions that are being created.
    in_creation: HashMap<IpAddr, usize>,
}

impl ScantUploads {
    /// Counts a session that this client creates, until [`ScantUploads::end_creation`].
    pub(super) fn begin_creation(&mut self, client: IpAddr) {
        *self.in_creation.entry(client).or_default() += 1;
    }

    /// The session is created, or will not be.
    pub(super) fn end_creation(&mut self, client: IpAddr) {
        if let Some(count) = self.in_creation.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.in_creation.remove(&client);
            }
        }
    }

    /// How many sessions a client is creating.
    pub(super) fn in_creation(&self, client: IpAddr) -> usize {
        self.in_creation.get(&client).copied().unwrap_or(0)
    }

    /// Adds a session, if its client is known.
    pub(super) fn add(&mut self, session: &Arc<Session>) {
        if let Some(client) = session.client().filter(|_| is_scant(session)) {
            self.by_client.entry(client).or_default().push(Arc::downgrade(session));
        }
    }

    /// Those of a client.
    pub(super) fn of(&self, client: IpAddr) -> impl Iterator<Item = Arc<Session>> {
        let sessions = self.by_client.get(&client).into_iter().flatten();
        sessions.filter_map(Weak::upgrade).filter(|session| is_scant(session))
    }

    /// Forgets the sessions that have ended or have received more.
    pub(super) fn prune(&mut self) {
        self.by_client.retain(|_, sessions| {
            sessions.retain(|session| session.upgrade().is_some_and(|session| is_scant(&session)));
            !sessions.is_empty()
        });
    }
}

/// Whether the upload of a session that has not ended has hardly begun.
pub(super) fn is_scant(session: &Session) -> bool {
    session.uploaded() < SCANT_BYTES && {
        let manifest = session.manifest();
        !manifest.upload_complete() && !manifest.state().is_ended() && !session.is_removed()
    }
}
