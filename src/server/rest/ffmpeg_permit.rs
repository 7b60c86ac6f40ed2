//! How many downloads FFmpeg encodes at the same time.

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::byte_source::Source;
use crate::server::status::ApiError;

/// A source that holds a permit of FFmpeg, if it needs one.
pub(super) struct Permitted<S> {
    source: S,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S: Source> Permitted<S> {
    /// A source that needs a permit or not.
    ///
    /// # Errors
    /// `ServerBusy` if there is none.
    pub(super) fn new(
        source: S,
        needs_permit: bool,
        permits: &Arc<Semaphore>,
    ) -> Result<Permitted<S>, ApiError> {
        let permit = needs_permit.then(|| Arc::clone(permits).try_acquire_owned()).transpose();
        Ok(Permitted { source, _permit: permit.map_err(|_| ApiError::ServerBusy)? })
    }
}

impl<S: Source> Source for Permitted<S> {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.source.next()
    }

    fn encodes(&self) -> bool {
        self.source.encodes()
    }

    fn held_bytes(&self) -> usize {
        self.source.held_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Empty;

    impl Source for Empty {
        fn next(&mut self) -> io::Result<Option<Bytes>> {
            Ok(None)
        }
    }

    #[test]
    fn a_permit_is_held_as_long_as_the_source() {
        let permits = Arc::new(Semaphore::new(1));
        let source = |needs_permit| Permitted::new(Empty, needs_permit, &permits);
        let first = source(true).unwrap();
        assert!(matches!(source(true), Err(ApiError::ServerBusy)));
        assert!(source(false).is_ok());
        drop(first);
        assert!(source(true).is_ok());
    }
}
