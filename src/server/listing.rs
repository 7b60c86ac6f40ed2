//! Pages of the sessions of several gateways.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::session::manifest::Timestamp;
use crate::session::store::PageCursor;
use crate::session::{Session, SessionId, Store};

/// A session of a page, as a client gets it.
#[derive(Debug)]
pub(super) struct ListedSession<T> {
    pub(super) id: SessionId,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) view: T,
}

/// A page of one gateway.
#[derive(Debug)]
pub(super) struct SessionPage<T> {
    pub(super) sessions: Vec<ListedSession<T>>,
    /// Whether there are older ones.
    pub(super) has_more: bool,
}

/// The pages of the other gateways.
#[derive(Debug)]
pub(super) struct OtherPages<P> {
    pub(super) pages: Vec<P>,
    /// Whether there are other gateways, and all have answered: each after it has read all sessions that it may list.
    pub(super) are_all_there: bool,
}

impl<P> OtherPages<P> {
    /// The pages of those that have answered, of this number of gateways.
    pub(super) fn of(pages: Vec<P>, gateways: usize) -> OtherPages<P> {
        let are_all_there = gateways > 0 && pages.len() == gateways;
        OtherPages { pages, are_all_there }
    }
}

impl<P> Default for OtherPages<P> {
    fn default() -> OtherPages<P> {
        OtherPages::of(Vec::new(), 0)
    }
}

/// The page of this gateway. If the others' `are_all_there`, they have the sessions of the store that this one has not read yet.
pub(super) fn own_page(
    store: &Store,
    are_all_there: bool,
    cursor: Option<PageCursor>,
    size: usize,
) -> (Vec<Arc<Session>>, Option<PageCursor>) {
    match are_all_there {
        true => store.page_beside_others(cursor, size),
        false => store.page(cursor, size),
    }
}

/// The newest `size` sessions of pages with at least as many, which begin at the same position, and where the next page
/// begins. A session on several of them counts as it was last changed.
pub(super) fn merge<T>(pages: Vec<SessionPage<T>>, size: usize) -> (Vec<T>, Option<PageCursor>) {
    let has_more = pages.iter().any(|page| page.has_more);
    let mut sessions: Vec<_> = pages.into_iter().flat_map(|page| page.sessions).collect();
    sessions.sort_by_key(|session| Reverse((session.created, session.id, session.updated)));
    sessions.dedup_by_key(|session| session.id);
    let has_more = has_more || sessions.len() > size;
    sessions.truncate(size);
    let last = sessions.last().filter(|_| has_more);
    let next = last.map(|last| PageCursor::behind(last.created, last.id));
    (sessions.into_iter().map(|session| session.view).collect(), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages as (`created` of each session, which is also its id, and `updated`; whether there is more) -> what is merged.
    #[track_caller]
    fn check(pages: &[(&[(u64, u64)], bool)], size: usize, expected: &[(u64, u64)], more: bool) {
        let id = |number: u64| format!("{number:08x}-0000-0000-0000-000000000000").parse().unwrap();
        let session = |&(number, updated): &(u64, u64)| ListedSession {
            id: id(number),
            created: Timestamp(number),
            updated: Timestamp(updated),
            view: (number, updated),
        };
        let page = |&(sessions, has_more): &(&[(u64, u64)], bool)| SessionPage {
            sessions: sessions.iter().map(session).collect(),
            has_more,
        };
        let (merged, next) = merge(pages.iter().map(page).collect(), size);
        assert_eq!(merged, expected);
        let last = expected.last().filter(|_| more);
        assert_eq!(
            next,
            last.map(|&(number, _)| PageCursor::behind(Timestamp(number), id(number)))
        );
    }

    #[test]
    fn the_newest_of_all_gateways_are_on_the_page() {
        check(&[(&[(9, 9), (4, 4)], false)], 2, &[(9, 9), (4, 4)], false);
        check(&[(&[(9, 9), (4, 4)], true), (&[(7, 7)], false)], 2, &[(9, 9), (7, 7)], true);
        check(&[(&[(9, 9)], false), (&[(7, 7)], false)], 2, &[(9, 9), (7, 7)], false);
        check(&[(&[(9, 9)], false), (&[(7, 7)], false)], 1, &[(9, 9)], true);
        check(&[(&[], false), (&[], false)], 1, &[], false);
    }

    #[test]
    fn a_session_of_two_gateways_is_listed_as_it_was_last_changed() {
        check(&[(&[(9, 10), (4, 4)], false), (&[(9, 11)], false)], 3, &[(9, 11), (4, 4)], false);
        check(&[(&[(9, 11)], false), (&[(9, 10), (4, 4)], false)], 2, &[(9, 11), (4, 4)], false);
    }
}
