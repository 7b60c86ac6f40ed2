//! On how many NATS servers the buckets and the queue are.

use std::error::Error;
use std::future::Future;

use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{Context, ErrorCode};

use super::nats::NatsCallError;

/// Copies in a cluster of NATS servers: with three, one server may be lost. Of two, neither may, so there is one copy then.
const COPIES: usize = 3;

/// Makes a stream or bucket with as many copies as there are servers for.
pub(super) async fn create<T, E, F>(
    is_clustered: bool,
    make: impl Fn(usize) -> F,
) -> Result<T, NatsCallError>
where
    E: Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    if is_clustered {
        match make(COPIES).await {
            Err(error) if lacks_servers(&error) => {
                tracing::warn!(
                    "NATS has fewer than {COPIES} servers: one of them alone has the leases and the queue"
                );
            }
            made => return made.map_err(NatsCallError::of),
        }
    }
    make(1).await.map_err(NatsCallError::of)
}

/// Copies a stream to more servers, if there are more than when it was made.
pub(super) async fn raise(jetstream: &Context, is_clustered: bool, stream: &Stream) {
    let config = &stream.cached_info().config;
    if !is_clustered || config.num_replicas >= COPIES {
        return;
    }
    let raised = Config { num_replicas: COPIES, ..config.clone() };
    // As long as there are too few servers, it stays where it is.
    if let Err(error) = jetstream.update_stream(raised).await {
        tracing::debug!(%error, stream = config.name, "it has one copy");
    }
}

/// Whether a cluster has fewer servers than a stream would have copies.
fn lacks_servers(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<CreateStreamError>().map(CreateStreamError::kind);
        if let Some(CreateStreamErrorKind::JetStream(error)) = kind {
            return error.error_code() == ErrorCode::CLUSTER_NO_PEERS;
        }
        cause = error.source();
    }
    false
}
