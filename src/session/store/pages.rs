//! The sessions, newest first, page by page.

use std::sync::Arc;

use super::{PageCursor, Store};
use crate::session::Session;

/// Sessions, and where the next page begins.
type SessionsAndNext = (Vec<Arc<Session>>, Option<PageCursor>);

impl Store {
    /// At most `count` sessions after `cursor`, newest first, and where the next page begins. Reads all sessions first. In a
    /// cluster, those that others continue are missing.
    pub fn page(&self, cursor: Option<PageCursor>, count: usize) -> SessionsAndNext {
        self.load();
        self.loaded_page(cursor, count)
    }

    /// The same, but reads only the sessions that this server continues: for a list to which the other servers of the cluster
    /// add what they have read.
    pub fn page_beside_others(&self, cursor: Option<PageCursor>, count: usize) -> SessionsAndNext {
        self.load_own();
        self.loaded_page(cursor, count)
    }

    fn loaded_page(&self, cursor: Option<PageCursor>, count: usize) -> SessionsAndNext {
        let index = self.read();
        let older: Box<dyn Iterator<Item = _>> = match cursor {
            None => Box::new(index.by_age.iter().rev()),
            Some(PageCursor { created, id }) => Box::new(index.by_age.range(..(created, id)).rev()),
        };
        let is_here = |(_, session): &(_, &Arc<Session>)| !session.is_fenced();
        let mut page: Vec<_> = older.filter(is_here).take(count + 1).collect();
        let more = page.len() > count;
        page.truncate(count);
        let last = page.last().map(|((created, id), _)| PageCursor { created: *created, id: *id });
        (page.into_iter().map(|(_, session)| Arc::clone(session)).collect(), last.filter(|_| more))
    }

    /// Reads the sessions that an earlier process of this server has left with a lease. Without an answer, reads all.
    fn load_own(&self) {
        let Some(leases) = self.leases().filter(|_| !self.is_loaded()) else { return };
        let Ok(leased) = leases.all_leased() else { return self.load() };
        for id in leased {
            let is_unread = self.read().unread.contains(&id);
            if is_unread && !matches!(leases.elsewhere(id), Ok(Some(_))) {
                // An error is logged, or passes.
                let _ = self.read_existing(id);
            }
        }
    }
}
