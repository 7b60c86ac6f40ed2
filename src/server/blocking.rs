//! Short disk work outside the runtime's own threads.

use tonic::Status;

use super::status::{ApiError, to_status};

/// Runs `work` on a thread that may block.
///
/// # Errors
/// INTERNAL if `work` panics.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let span = tracing::Span::current();
    #[allow(clippy::disallowed_methods, reason = "all other modules use this function")]
    let task = tokio::task::spawn_blocking(move || span.in_scope(work));
    task.await.map_err(|error| {
        tracing::error!(%error, "a task of a call panicked");
        to_status(ApiError::Defect)
    })
}
