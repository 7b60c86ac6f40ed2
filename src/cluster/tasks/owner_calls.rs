//! Calls of a worker to the servers that own its tasks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::failure;
use super::queue::TaskNotice;
use super::samples::{SampleReader, checksum, pieces};
use crate::audio::Stereo;
use crate::cluster::ClusterSecret;
use crate::dsp::mask::MaskExtension;
use crate::engine::{EngineError, EngineOptions, SeparatedSegment};
use crate::proto::tasks as wire;
use crate::proto::tasks::deliver_task_request::Part as Delivered;
use crate::proto::tasks::fetch_task_response::Part as Fetched;
use crate::proto::tasks::task_result::Outcome;
use crate::proto::tasks::task_service_client::TaskServiceClient;
use crate::trace::TraceContext;

/// The header with the secret of the cluster.
pub(super) const WORKER_SECRET: &str = "stemwire-worker-secret";

/// Time limit of a connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Time limit of a call. A segment has some MB.
const CALL_TIME: Duration = Duration::from_secs(60);

/// Interval of pings on a connection with calls, and time limit of the reply: an owner that is stopped or cut off accepts bytes and
/// answers nothing.
const KEEPALIVE: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Flow-control windows of a stream and of a connection, in bytes: a segment of HTDemucs fits into the first.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Calls the owners of tasks, over one connection to each.
pub(super) struct OwnerCalls {
    worker: String,
    lanes: u32,
    secret: Option<MetadataValue<Ascii>>,
    channels: Mutex<HashMap<String, Channel>>,
}

/// Why a call had no success.
#[derive(Debug, thiserror::Error)]
pub(super) enum OwnerError {
    /// The owner does not want the answer.
    #[error("{0}")]
    NotWanted(String),
    /// The owner cannot be reached, or refuses this worker.
    #[error("{0}")]
    Away(String),
}

/// What the owner of a task sends to a worker that has taken it.
pub(super) enum FetchAnswer {
    /// The task.
    Task(ReceivedTask),
    /// Nothing: another worker is to compute it, and this one gets no task of the model for this time.
    PassedOver(Duration),
}

/// The input of a task.
pub(super) struct ReceivedTask {
    pub(super) mix: Stereo,
    pub(super) options: EngineOptions,
    pub(super) isolated: bool,
    /// Where it is in its trace.
    pub(super) trace: TraceContext,
}

impl OwnerCalls {
    /// Those of the worker with this name, which computes so many segments at a time.
    pub(super) fn new(worker: String, lanes: usize, secret: Option<&ClusterSecret>) -> OwnerCalls {
        // A secret is visible ASCII.
        let secret = secret.and_then(|secret| {
            let mut value: MetadataValue<Ascii> = secret.sent().parse().ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        let lanes = u32::try_from(lanes).unwrap_or(u32::MAX);
        OwnerCalls { worker, lanes, secret, channels: Mutex::default() }
    }

    /// The input of a task, of this many frames.
    pub(super) async fn fetch(
        &self,
        notice: &TaskNotice,
        frames: usize,
    ) -> Result<FetchAnswer, OwnerError> {
        self.limited(self.fetch_now(notice, frames)).await
    }

    async fn fetch_now(&self, notice: &TaskNotice, frames: usize) -> Result<FetchAnswer, Status> {
        let request = wire::FetchTaskRequest {
            key: Some(notice.key.into()),
            worker: self.worker.clone(),
            lanes: self.lanes,
        };
        let mut client = self.client(&notice.owner)?;
        let answer = client.fetch_task(self.request(request)).await?;
        let trace = TraceContext::received(|name| answer.metadata().get(name)?.to_str().ok());
        let mut answer = answer.into_inner();
        let part = answer.message().await?.and_then(|message| message.part);
        let input = match part {
            Some(Fetched::Input(input)) => input,
            Some(Fetched::PassedOver(passed_over)) => {
                return Ok(FetchAnswer::PassedOver(Duration::from_millis(passed_over.pause_ms)));
            }
            _ => return Err(Status::internal("the owner sent no input")),
        };
        if input.frames != frames as u64 {
            let given = input.frames;
            let text = format!("the segment has {given} frames, but the model takes {frames}");
            return Err(Status::internal(text));
        }
        let mut reader = SampleReader::new(1, frames);
        while let Some(message) = answer.message().await? {
            if let Some(Fetched::Samples(bytes)) = message.part {
                reader.add(&bytes).map_err(|error| Status::data_loss(error.to_string()))?;
            }
        }
        let mix = reader.finish(input.crc32c);
        let mix = mix.map_err(|error| Status::data_loss(error.to_string()))?.pop();
        let (options, isolated) = (options_of(&input), input.isolated);
        let mix = mix.unwrap_or_default();
        Ok(FetchAnswer::Task(ReceivedTask { mix, options, isolated, trace }))
    }

    /// Delivers the result of a task. Returns `false` if it is none, so that another worker may compute the task.
    pub(super) async fn deliver(
        &self,
        notice: &TaskNotice,
        result: &Result<(Arc<Vec<Stereo>>, Duration), EngineError>,
    ) -> Result<bool, OwnerError> {
        let (outcome, stems) = match result {
            Ok((stems, engine_time)) => {
                let engine_ns = u64::try_from(engine_time.as_nanos()).unwrap_or(u64::MAX);
                let crc32c = checksum(stems);
                (Outcome::Stems(wire::TaskStems { engine_ns, crc32c }), Arc::clone(stems))
            }
            Err(error) => match failure::to_wire(error) {
                None => return Ok(false),
                Some(failure) => (Outcome::Failure(failure), Arc::default()),
            },
        };
        self.limited(self.deliver_now(notice, outcome, stems)).await?;
        Ok(true)
    }

    async fn deliver_now(
        &self,
        notice: &TaskNotice,
        outcome: Outcome,
        stems: Arc<Vec<Stereo>>,
    ) -> Result<(), Status> {
        let result = wire::TaskResult {
            key: Some(notice.key.into()),
            worker: self.worker.clone(),
            outcome: Some(outcome),
        };
        let parts = std::iter::once(Delivered::Result(result));
        let parts = parts.chain(pieces(stems).map(Delivered::Samples));
        let messages = parts.map(|part| wire::DeliverTaskRequest { part: Some(part) });
        let request = self.request(tokio_stream::iter(messages));
        self.client(&notice.owner)?.deliver_task(request).await?;
        Ok(())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(secret) = &self.secret {
            request.metadata_mut().insert(WORKER_SECRET, secret.clone());
        }
        request
    }

    fn client(&self, owner: &str) -> Result<TaskServiceClient<Channel>, Status> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(owner) {
            Some(channel) => channel.clone(),
            None => {
                let endpoint = Endpoint::from_shared(owner.to_owned());
                let endpoint = endpoint.map_err(|error| {
                    Status::invalid_argument(format!("{owner:?} is no address: {error}"))
                })?;
                let endpoint = match owner.starts_with("https:") {
                    true => endpoint.tls_config(ClientTlsConfig::new().with_native_roots()),
                    false => Ok(endpoint),
                };
                let endpoint = endpoint.map_err(|error| Status::internal(error.to_string()))?;
                let channel = endpoint
                    .connect_timeout(CONNECT_TIME)
                    .tcp_nodelay(true)
                    .http2_keep_alive_interval(KEEPALIVE)
                    .keep_alive_timeout(KEEPALIVE_TIMEOUT)
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(CONNECTION_WINDOW)
                    .connect_lazy();
                channels.insert(owner.to_owned(), channel.clone());
                channel
            }
        };
        Ok(TaskServiceClient::new(channel))
    }

    async fn limited<T>(
        &self,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, OwnerError> {
        let late = || Status::deadline_exceeded("the call took too long");
        let result = timeout(CALL_TIME, call).await.unwrap_or_else(|_| Err(late()));
        result.map_err(|status| match status.code() {
            Code::NotFound | Code::AlreadyExists => {
                OwnerError::NotWanted(status.message().to_owned())
            }
            code => OwnerError::Away(format!("{code:?}: {}", status.message())),
        })
    }
}

/// The stems of an answer, to be delivered.
pub(super) fn shared(
    result: Result<SeparatedSegment, EngineError>,
) -> Result<(Arc<Vec<Stereo>>, Duration), EngineError> {
    result.map(|segment| (Arc::new(segment.stems), segment.engine_time))
}

fn options_of(input: &wire::TaskInput) -> EngineOptions {
    let mask_extension = match input.extends_with_zeros {
        true => MaskExtension::Zeros,
        false => MaskExtension::Average,
    };
    EngineOptions { wanted: input.wanted.clone(), mask_extension, members: None }
}
