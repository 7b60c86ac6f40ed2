//! The stream of JetStream that has the notices of tasks, and its consumers.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use super::key::TaskExecution;
use crate::cluster::copies;
use crate::cluster::nats::NatsCallError;

/// Name of the stream.
pub(super) const STREAM: &str = "stemwire-tasks";

/// First words of its subjects.
const PREFIX: &str = "stemwire.tasks";

/// Most notices in the stream; more are refused until there is room. Each owner offers twice what the workers compute at a time,
/// so that it is reached only where something is wrong.
const MOST_NOTICES: i64 = 1 << 16;

/// Time without a sign of life of a worker after which its task is delivered to another one.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(10);

/// Time without pulls after which a consumer is removed. Its notices stay.
const INACTIVE: Duration = Duration::from_secs(24 * 3600);

/// The subject of an execution.
pub(super) fn subject(execution: &TaskExecution) -> String {
    format!("{PREFIX}.{execution}")
}

/// The stream, which is made if there is none.
pub(super) async fn open(jetstream: &Context, is_clustered: bool) -> Result<Stream, NatsCallError> {
    let config = Config {
        name: STREAM.to_owned(),
        subjects: vec![format!("{PREFIX}.>")],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages: MOST_NOTICES,
        // What is lost with a server is offered again by the owners.
        storage: StorageType::Memory,
        ..Config::default()
    };
    let create =
        |num_replicas| jetstream.get_or_create_stream(Config { num_replicas, ..config.clone() });
    let stream = copies::create(is_clustered, create).await?;
    let Config { retention, discard, subjects, .. } = &stream.cached_info().config;
    let subject = format!("{PREFIX}.>");
    if *retention != RetentionPolicy::WorkQueue
        || *discard != DiscardPolicy::New
        || *subjects != [subject]
    {
        let text = format!(
            "the stream {STREAM} has other settings than it must have: remove it with `nats stream rm` while nothing uses it"
        );
        return Err(NatsCallError(text));
    }
    copies::raise(jetstream, is_clustered, &stream).await;
    Ok(stream)
}

/// The consumer of an execution, which is made if there is none. All its workers share it: notices of one subject go to one
/// consumer.
pub(super) async fn consumer(
    stream: &Stream,
    execution: &TaskExecution,
) -> Result<PullConsumer, NatsCallError> {
    let name = execution.as_str().replace('.', "-");
    let config = pull::Config {
        durable_name: Some(name.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // A worker ends a notice that was delivered too often. With a limit here it would stay, and count, for ever.
        max_deliver: -1,
        // Each worker has one at a time for each of its threads.
        max_ack_pending: MOST_NOTICES,
        filter_subject: subject(execution),
        inactive_threshold: INACTIVE,
        ..pull::Config::default()
    };
    // One that an earlier version has made gets these settings.
    stream.create_consumer(config).await.map_err(NatsCallError::of)
}
