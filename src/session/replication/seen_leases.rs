//! Which leases of all servers were there in the last listings.

use std::collections::HashSet;

use crate::session::SessionId;

/// Leases of all servers.
#[derive(Default)]
pub(super) struct SeenLeases {
    /// Those of the last listing.
    pub(super) last: HashSet<SessionId>,
    /// Those that were not there any more in the last one.
    missing: HashSet<SessionId>,
    /// Those that were not there in two listings: their owner is lost, or the session has ended.
    pub(super) ended: HashSet<SessionId>,
}

impl SeenLeases {
    /// Compares a listing with those of before. One that is missing once may be taken again by its owner.
    pub(super) fn list(&mut self, all: HashSet<SessionId>) {
        self.ended.extend(self.missing.difference(&all));
        self.missing = self.last.difference(&all).copied().collect();
        self.last = all;
    }
}
