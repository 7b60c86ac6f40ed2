//! The sessions that are to be stored, each with the time at which that is due.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::session::SessionId;

/// Work by session. One session is worked on by one thread at a time.
#[derive(Debug)]
pub(super) struct WorkQueue<T> {
    state: Mutex<QueueState<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState<T> {
    items: HashMap<SessionId, WorkEntry<T>>,
    closed: bool,
}

#[derive(Debug)]
struct WorkEntry<T> {
    item: Arc<T>,
    due: Option<Instant>,
    is_taken: bool,
}

impl<T> Default for WorkQueue<T> {
    fn default() -> WorkQueue<T> {
        let state = QueueState { items: HashMap::new(), closed: false };
        WorkQueue { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> WorkQueue<T> {
    /// Asks for work on a session at this time, or earlier if that has been asked for.
    pub(super) fn add(&self, id: SessionId, item: &Arc<T>, due: Instant) {
        let mut state = self.lock();
        let new = WorkEntry { item: Arc::clone(item), due: None, is_taken: false };
        let entry = state.items.entry(id).or_insert(new);
        // The session may have been read again since.
        entry.item = Arc::clone(item);
        if entry.due.is_some_and(|before| before <= due) {
            return;
        }
        entry.due = Some(due);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the next session whose time has come. Returns `None` once the queue is closed.
    pub(super) fn take(&self) -> Option<(SessionId, Arc<T>)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let free = state.items.iter().filter(|(_, entry)| !entry.is_taken);
            let next = free.filter_map(|(&id, entry)| Some((entry.due?, id))).min();
            match next {
                Some((due, id)) if due <= now => {
                    let entry = state.items.get_mut(&id)?;
                    (entry.due, entry.is_taken) = (None, true);
                    return Some((id, Arc::clone(&entry.item)));
                }
                next => {
                    let time = next.map_or(Duration::MAX, |(due, _)| due - now);
                    let waited = self.changed.wait_timeout(state, time.min(LONGEST_WAIT));
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Gives a taken session back, to be worked on again at the time `again`, if there is one.
    pub(super) fn give_back(&self, id: SessionId, again: Option<Instant>) {
        let mut state = self.lock();
        if let Some(entry) = state.items.get_mut(&id) {
            entry.is_taken = false;
            entry.due = match (entry.due, again) {
                // What has been asked for meanwhile must not shorten the time to a retry.
                (Some(due), Some(again)) => Some(due.max(again)),
                (due, again) => due.or(again),
            };
            if entry.due.is_none() {
                state.items.remove(&id);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Makes all work due, and waits until there is none or the time is over. Returns whether there is none.
    pub(super) fn drain(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let pending = state.items.values_mut().filter_map(|entry| entry.due.as_mut());
            pending.for_each(|due| *due = now.min(*due));
            if state.items.is_empty() {
                return true;
            }
            if now >= deadline {
                return false;
            }
            self.changed.notify_all();
            let time = (deadline - now).min(DRAIN_INTERVAL);
            let waited = self.changed.wait_timeout(state, time);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends all calls of [`WorkQueue::take`].
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longest wait for a change.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Interval at which work that is to be retried is made due while the queue is drained.
const DRAIN_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_taken_by_one_thread_and_at_its_time() {
        let queue = WorkQueue::default();
        let (first, second) = (SessionId::random(), SessionId::random());
        let now = Instant::now();
        queue.add(first, &Arc::new("first"), now + Duration::from_secs(3600));
        queue.add(second, &Arc::new("second"), now);
        assert_eq!(queue.take().unwrap().0, second);
        // Asked for again while it is taken, and earlier for the other.
        queue.add(second, &Arc::new("second"), now);
        queue.add(first, &Arc::new("first"), now);
        assert_eq!(queue.take().unwrap().0, first);
        queue.give_back(first, None);
        queue.give_back(second, None);
        assert_eq!(queue.take().unwrap().0, second);
        queue.give_back(second, None);
        assert!(queue.drain(now), "nothing is left");
        queue.add(second, &Arc::new("before"), now);
        queue.add(second, &Arc::new("read again"), now);
        assert_eq!(*queue.take().unwrap().1, "read again");
        queue.give_back(second, None);
        queue.add(first, &Arc::new("first"), now + Duration::from_secs(3600));
        assert!(!queue.drain(now));
        assert_eq!(queue.take().unwrap().0, first, "it was made due");
        queue.close();
        assert!(queue.take().is_none());
    }
}
