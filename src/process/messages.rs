//! Messages that a child writes to a pipe.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::join_within_grace;

/// Reads messages from a child's pipe in a thread, one ahead of the receiver. Dropping it joins the thread; kill the
/// child before.
pub(crate) struct Messages<T> {
    receiver: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Messages<T> {
    /// Starts a thread with this name that calls `read` for one message after the other, until there is none.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub(crate) fn start<S: Read + Send + 'static>(
        name: &str,
        pipe: S,
        read: fn(&mut BufReader<S>) -> Option<T>,
    ) -> io::Result<Messages<T>> {
        let (sender, receiver) = sync_channel(1);
        let mut pipe = BufReader::new(pipe);
        let work = move || {
            while let Some(message) = read(&mut pipe) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work)?;
        Ok(Messages { receiver: Some(receiver), thread: Some(thread) })
    }

    /// The next message, if it comes within `limit`.
    ///
    /// # Errors
    /// `Timeout`; `Disconnected` after the last message.
    pub(crate) fn receive(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        match &self.receiver {
            Some(receiver) => receiver.recv_timeout(limit),
            None => Err(RecvTimeoutError::Disconnected),
        }
    }
}

impl<T> Drop for Messages<T> {
    fn drop(&mut self) {
        // The thread's next send then fails.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            join_within_grace(thread);
        }
    }
}
