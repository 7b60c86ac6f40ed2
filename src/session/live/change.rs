//! A change of a session's state, which only the holder of the [`StateWriter`] can make.

use std::io;
use std::sync::MutexGuard;

use super::control::{CallAttempt, UploadClock};
use super::{Session, lock};
use crate::session::Failure;
use crate::session::lifecycle::{State, StateWriter};
use crate::session::manifest::{Manifest, Timestamp};

/// A change of state that is being made. Dropping it before [`StateChange::publish`] leaves the old state.
#[derive(Debug)]
pub struct StateChange<'a> {
    session: &'a Session,
    next: State,
    /// Why the next state is that of a delay, if it has just become so.
    delay: Option<Failure>,
    manifest: Option<Manifest>,
    /// Whether the manifest holds without having been written.
    is_unwritten: bool,
    /// Held once the manifest is being changed.
    writing: Option<MutexGuard<'a, ()>>,
}

impl Session {
    /// Begins to change the state to `next`.
    pub fn change_state(&self, _: &StateWriter, next: State) -> StateChange<'_> {
        StateChange {
            session: self,
            next,
            delay: None,
            manifest: None,
            is_unwritten: false,
            writing: None,
        }
    }

    /// Gives the session to a new call and returns the call's number. The previous call no longer
    /// [holds](Session::is_held_by) it. `None` if a later call of the same client has come before.
    pub fn take_over(&self, _: &StateWriter, attempt: Option<CallAttempt>) -> Option<u64> {
        let call = lock(&self.control).take_over(attempt);
        self.notifier.notify();
        call
    }

    /// The call with this number broke off. Returns whether it held the session.
    pub fn leave(&self, _: &StateWriter, call: u64) -> bool {
        let mut control = lock(&self.control);
        let held = control.call == call && !control.call_left;
        control.call_left |= held;
        held
    }
}

#[cfg(test)]
impl Session {
    /// Puts a session without a scheduler into a state.
    pub(crate) fn end_for_test(&self, state: State) {
        let mut change = self.change_state(&StateWriter::new(), state);
        change.settle(|_| {});
        change.remove_scratch();
        change.publish();
    }
}

impl StateChange<'_> {
    /// Sets the reason of a delay, if the new state is one.
    pub fn set_delay(&mut self, reason: Failure) {
        self.delay = Some(reason);
    }

    /// Writes the manifest with the new state and what `note` adds.
    ///
    /// # Errors
    /// I/O errors from the session directory.
    pub fn persist(&mut self, note: impl FnOnce(&mut Manifest)) -> io::Result<()> {
        let manifest = self.prepare(note);
        let written = manifest.write(&self.session.layout.manifest());
        if written.is_ok() {
            self.session.measure();
            self.manifest = Some(manifest);
        }
        written
    }

    /// The same; the new state holds even if it cannot be written, and is lost if the process ends then.
    pub fn settle(&mut self, note: impl FnOnce(&mut Manifest)) {
        self.manifest = Some(self.prepare(note));
        self.is_unwritten = true;
        if let Err(error) = self.write_settled() {
            tracing::error!(session = %self.session.id, %error, "cannot write the manifest");
        }
        self.session.measure();
    }

    /// Writes what is settled and could not be written so far.
    fn write_settled(&mut self) -> io::Result<()> {
        if let Some(manifest) = self.manifest.as_ref().filter(|_| self.is_unwritten) {
            manifest.write(&self.session.layout.manifest())?;
            self.is_unwritten = false;
        }
        Ok(())
    }

    fn prepare(&mut self, note: impl FnOnce(&mut Manifest)) -> Manifest {
        self.writing.get_or_insert_with(|| lock(&self.session.writing));
        let mut manifest = Manifest::clone(&self.session.manifest());
        manifest.state = self.next.saved();
        if manifest.state.is_ended() {
            (manifest.commit.overlap_state, manifest.commit.overlap_lost) = (false, false);
        }
        manifest.delay = match self.delay.take().or(manifest.delay) {
            delay if self.next.is_delayed() => delay,
            _ => None,
        };
        let stored = manifest.upload.stored;
        note(&mut manifest);
        manifest.upload.stored = manifest.upload.stored.or(stored);
        self.session.note_stored(&mut manifest);
        manifest.updated = Timestamp::now();
        manifest
    }

    /// Removes the files that only a running session needs. The space may be what a new state lacks that could not be
    /// written; the track goes first, because it alone can be made again from the upload.
    pub fn remove_scratch(&mut self) {
        let layout = &self.session.layout;
        for file in std::iter::once(layout.track()).chain(layout.scratch()) {
            // What cannot be removed now is removed by the next server.
            let _ = std::fs::remove_file(file);
            let _ = self.write_settled();
        }
        self.session.measure();
    }

    /// Measures idle time from now on.
    pub fn restart_idle_clock(&mut self) {
        lock(&self.session.control).upload_clock = UploadClock::start();
    }

    /// Makes calls that wait for the session return: the server stops.
    pub fn announce_shutdown(&mut self) {
        lock(&self.session.control).shut_down = true;
    }

    /// Makes the new state visible and wakes everything that waits for a change.
    pub fn publish(self) {
        lock(&self.session.control).state = self.next;
        if let Some(manifest) = self.manifest {
            self.session.set_manifest(manifest);
        }
        self.session.notifier.notify();
    }
}
