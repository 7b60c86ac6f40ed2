//! The messages to the parent.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::connection::ToParent;
use super::super::protocol::DecoderMessage;

/// Writes messages to the parent; shared by two owners.
#[derive(Clone)]
pub(super) struct BlockOutput(Arc<Mutex<BufWriter<ToParent>>>);

impl BlockOutput {
    pub(super) fn new(messages: ToParent) -> BlockOutput {
        BlockOutput(Arc::new(Mutex::new(BufWriter::with_capacity(256 * 1024, messages))))
    }

    pub(super) fn send(&self, message: &DecoderMessage) -> io::Result<()> {
        message.write(&mut *self.lock())
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        self.lock().flush()
    }

    fn lock(&self) -> MutexGuard<'_, BufWriter<ToParent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
