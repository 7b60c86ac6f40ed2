//! Short work with the disk, off the runtime's own threads.

use tonic::Status;

use super::status::{ApiError, to_status};

/// Runs `work` on a thread where it may wait for the disk.
///
/// # Errors
/// INTERNAL where it panics.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let span = tracing::Span::current();
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    let task = tokio::task::spawn_blocking(move || span.in_scope(work));
    task.await.map_err(|error| {
        tracing::error!(%error, "a call's work panicked");
        to_status(ApiError::Defect)
    })
}
