//! What a writer has written, until it is fetched.

use std::io::{self, Write};
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

/// Holds the output of a writer until it is fetched; its clones share it.
#[derive(Clone, Default)]
pub(super) struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    /// Takes what was written since the last call.
    pub(super) fn fetch(&self) -> Vec<u8> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
