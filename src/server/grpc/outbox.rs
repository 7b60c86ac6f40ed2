//! The sending side of a response stream, whose messages are charged while they wait for the client.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Answers;
use crate::server::memory_budget::{Budget, Charge};

/// Messages buffered for a client that does not read.
const MESSAGES_AHEAD: usize = 2;

/// A message or an error in the channel, with its charge.
pub(super) type Queued<T> = (Result<T, Status>, Option<Charge>);

/// The sending side of a response stream.
pub(super) struct Outbox<T> {
    sender: mpsc::Sender<Queued<T>>,
    memory: Arc<Budget>,
}

/// The client has disconnected, or does not read.
pub(super) struct ClientGone;

/// Both sides of a response stream; messages are charged on `memory`.
pub(super) fn outbox<T: Send + 'static>(memory: Arc<Budget>) -> (Outbox<T>, Answers<T>) {
    let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD);
    let stream = ReceiverStream::new(receiver).map(|(message, _)| message);
    (Outbox { sender, memory }, Box::pin(stream))
}

impl<T> Outbox<T> {
    /// Sends a message or an error.
    ///
    /// # Errors
    /// [`ClientGone`].
    pub(super) async fn send(&self, message: Result<T, Status>) -> Result<(), ClientGone> {
        self.sender.send((message, None)).await.map_err(|_| ClientGone)
    }

    /// Sends a message that has been charged.
    ///
    /// # Errors
    /// [`ClientGone`].
    pub(super) async fn send_charged(
        &self,
        message: T,
        charge: Option<Charge>,
    ) -> Result<(), ClientGone> {
        self.sender.send((Ok(message), charge)).await.map_err(|_| ClientGone)
    }

    /// Memory for `bytes` of messages, once there is some.
    ///
    /// # Errors
    /// [`ClientGone`].
    pub(super) async fn charge(&self, bytes: usize) -> Result<Charge, ClientGone> {
        if let Some(charge) = self.memory.try_take(bytes) {
            return Ok(charge);
        }
        tokio::select! {
            charge = self.memory.take(bytes) => Ok(charge),
            () = self.sender.closed() => Err(ClientGone),
        }
    }

    /// Waits until the client has disconnected.
    pub(super) async fn closed(&self) {
        self.sender.closed().await;
    }
}

#[cfg(test)]
impl<T> Outbox<T> {
    /// Both sides, for a client that buffers so many messages.
    pub(super) fn with_capacity(messages: usize) -> (Outbox<T>, mpsc::Receiver<Queued<T>>) {
        let (sender, receiver) = mpsc::channel(messages);
        (Outbox { sender, memory: Arc::new(Budget::new(u64::MAX)) }, receiver)
    }
}
