//! The slot of a run: it computes only while it has one, and gives it back while it waits for its upload.

use std::time::Duration;

use crate::session::Session;

/// A run's access to slots. The session is notified when it gets one.
pub(in crate::separation) trait Slot {
    /// Whether the run has a slot, and may submit segments.
    fn is_held(&self) -> bool;

    /// Gives the slot back, until [`Slot::claim`]: nothing can be computed before more of the upload arrives.
    fn park(&self);

    /// Asks for a slot, if the run is parked.
    fn claim(&self);
}

/// Waits, parked, for the first bytes of the upload or its end, then for a slot to decode them. Returns `false` if the run
/// has been asked to stop. Looks again after `interval` at the latest.
pub(super) fn wait_for_bytes(session: &Session, slot: &dyn Slot, interval: Duration) -> bool {
    loop {
        let seen = session.notifier().version();
        if session.stop_requested() {
            return false;
        }
        if session.uploaded() == 0 && !session.manifest().upload_complete() {
            slot.park();
        } else if slot.is_held() {
            return true;
        } else {
            slot.claim();
        }
        session.notifier().wait_newer(seen, interval);
    }
}
