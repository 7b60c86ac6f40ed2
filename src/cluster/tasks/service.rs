//! The service by which workers get the tasks of a server.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::board::TaskBoard;
use super::failure;
use super::key::TaskKey;
use super::open_task::{ExpectedStems, FetchedTask, TaskRefusal};
use super::owner_calls::WORKER_SECRET;
use super::samples::{SampleReader, checksum, pieces};
use crate::cluster::ClusterSecret;
use crate::dsp::mask::MaskExtension;
use crate::engine::SeparatedSegment;
use crate::proto::tasks as wire;
use crate::proto::tasks::deliver_task_request::Part as Delivered;
use crate::proto::tasks::fetch_task_response::Part as Fetched;
use crate::proto::tasks::task_result::Outcome;
use crate::proto::tasks::task_service_server::{TaskService, TaskServiceServer};

/// The tasks of a server, for the workers that have the secret of the cluster.
#[derive(Clone)]
pub struct OfferedTasks {
    board: Arc<TaskBoard>,
    secret: Option<Arc<ClusterSecret>>,
}

impl OfferedTasks {
    /// Those of `board`. Without a secret any caller is a worker: for servers that only this machine reaches.
    pub fn new(board: Arc<TaskBoard>, secret: Option<ClusterSecret>) -> OfferedTasks {
        OfferedTasks { board, secret: secret.map(Arc::new) }
    }

    /// The tasks.
    pub fn board(&self) -> &Arc<TaskBoard> {
        &self.board
    }

    /// The service.
    pub(crate) fn service(&self) -> TaskServiceServer<OfferedTasks> {
        TaskServiceServer::new(self.clone())
    }

    fn check(&self, metadata: &tonic::metadata::MetadataMap) -> Result<(), Status> {
        let Some(secret) = &self.secret else { return Ok(()) };
        let given = metadata.get(WORKER_SECRET);
        match given.is_some_and(|given| secret.accepts(given.as_bytes())) {
            true => Ok(()),
            false => Err(Status::unauthenticated("the call lacks the secret of the cluster")),
        }
    }
}

impl std::fmt::Debug for OfferedTasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfferedTasks").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl TaskService for OfferedTasks {
    type FetchTaskStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<wire::FetchTaskResponse, Status>> + Send>>;

    async fn fetch_task(
        &self,
        request: Request<wire::FetchTaskRequest>,
    ) -> Result<Response<Self::FetchTaskStream>, Status> {
        self.check(request.metadata())?;
        let request = request.into_inner();
        let key = key_of(request.key)?;
        let task = match self.board.fetch(key, &request.worker) {
            Err(TaskRefusal::PassedOver { pause }) => {
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                let part = Some(Fetched::PassedOver(wire::PassedOver { pause_ms }));
                let message = Ok(wire::FetchTaskResponse { part });
                return Ok(Response::new(Box::pin(tokio_stream::once(message))));
            }
            fetched => fetched.map_err(refused)?,
        };
        tracing::debug!(task = %key, worker = request.worker, "taken");
        let (mix, trace) = (Arc::clone(&task.mix), task.trace.headers());
        let input = run(move || input_of(&task)).await?;
        let parts = std::iter::once(Fetched::Input(input));
        let parts = parts.chain(pieces(mix).map(Fetched::Samples));
        let messages = parts.map(|part| Ok(wire::FetchTaskResponse { part: Some(part) }));
        let stream: Self::FetchTaskStream = Box::pin(tokio_stream::iter(messages));
        let mut response = Response::new(stream);
        for (name, value) in trace {
            // They are plain ASCII.
            if let Ok(value) = value.parse() {
                response.metadata_mut().insert(name, value);
            }
        }
        Ok(response)
    }

    async fn deliver_task(
        &self,
        request: Request<Streaming<wire::DeliverTaskRequest>>,
    ) -> Result<Response<wire::DeliverTaskResponse>, Status> {
        self.check(request.metadata())?;
        let mut parts = request.into_inner();
        let part = parts.message().await?.and_then(|message| message.part);
        let Some(Delivered::Result(result)) = part else {
            return Err(Status::invalid_argument("the first message has no result"));
        };
        let key = key_of(result.key)?;
        // Before the stems are received.
        let expected = self.board.expected(key).map_err(refused)?;
        let worker = result.worker;
        let result = match result.outcome {
            Some(Outcome::Stems(stems)) => Ok(receive(&mut parts, &expected, stems).await?),
            Some(Outcome::Failure(failure)) => {
                let error = failure::from_wire(expected.model.as_str(), failure);
                tracing::warn!(worker, %error, "a worker has failed on a segment");
                Err(error)
            }
            None => return Err(Status::invalid_argument("the result has no outcome")),
        };
        let board = Arc::clone(&self.board);
        run(move || board.deliver(key, &worker, result)).await?.map_err(refused)?;
        Ok(Response::new(wire::DeliverTaskResponse {}))
    }
}

/// Receives the stems of an answer.
async fn receive(
    parts: &mut Streaming<wire::DeliverTaskRequest>,
    expected: &ExpectedStems,
    stems: wire::TaskStems,
) -> Result<SeparatedSegment, Status> {
    let damaged = |error: super::samples::SamplesError| Status::data_loss(error.to_string());
    let mut reader = SampleReader::new(expected.stems, expected.frames);
    while let Some(message) = parts.message().await? {
        if let Some(Delivered::Samples(bytes)) = message.part {
            reader.add(&bytes).map_err(damaged)?;
        }
    }
    let engine_time = Duration::from_nanos(stems.engine_ns);
    let stems = run(move || reader.finish(stems.crc32c)).await?.map_err(damaged)?;
    Ok(SeparatedSegment { stems, engine_time })
}

/// Runs what takes milliseconds outside the threads of the calls.
async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    #[allow(clippy::disallowed_methods, reason = "copies and checksums of samples, no engine")]
    let task = spawn_blocking(work);
    task.await.map_err(|_| Status::internal("the owner has failed on a task"))
}

fn key_of(key: Option<wire::TaskKey>) -> Result<TaskKey, Status> {
    key.map(TaskKey::from).ok_or_else(|| Status::invalid_argument("the task is not named"))
}

fn refused(refusal: TaskRefusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        TaskRefusal::Unknown => Status::not_found(text),
        TaskRefusal::Answered => Status::already_exists(text),
        TaskRefusal::PassedOver { .. } => Status::failed_precondition(text),
        TaskRefusal::WrongStems => Status::invalid_argument(text),
    }
}

fn input_of(task: &FetchedTask) -> wire::TaskInput {
    wire::TaskInput {
        frames: task.mix.first().map_or(0, |mix| mix.len() as u64),
        wanted: task.options.wanted.clone(),
        extends_with_zeros: task.options.mask_extension == MaskExtension::Zeros,
        isolated: task.isolated,
        crc32c: checksum(&task.mix),
    }
}
