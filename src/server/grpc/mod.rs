//! The calls of `stemwire.v1.SeparationService`.
//!
//! [`separate`] implements the bidirectional call; [`follow`] sends a session's events for it and for
//! `WatchSession`. The short calls are in this file.

mod chunk;
mod follow;
pub(crate) mod health_service;
mod list;
mod outbox;
mod read_ahead;
mod separate;
mod stem;

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::forward::Forwarder;
use super::memory_budget::Budget;
use super::middleware::messages::MAX_CHUNK_MESSAGE_BYTES;
use super::status::{ApiError, to_status};
use super::uploading::{add_chunk, finish_upload};
use super::{blocking, convert, deadline, lookup};
use crate::encode;
use crate::files;
use crate::model::Model;
use crate::proto;
use crate::proto::separation_service_server::{SeparationService, SeparationServiceServer};
use crate::separation::Separations;
use crate::server::connections::client_of;
use crate::session::Session;

/// Limit of a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 4 << 20;

/// The gRPC service. What its streams read from disk before it can be sent is charged on `memory`.
pub(super) fn service(
    separations: Arc<Separations>,
    memory: Arc<Budget>,
    forwarder: Option<Arc<Forwarder>>,
) -> SeparationServiceServer<Calls> {
    SeparationServiceServer::new(Calls { separations, memory, forwarder })
        .max_decoding_message_size(MAX_CHUNK_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES)
}

/// Implements the calls.
pub(super) struct Calls {
    separations: Arc<Separations>,
    memory: Arc<Budget>,
    /// `None` for a server that is alone.
    forwarder: Option<Arc<Forwarder>>,
}

/// The response stream of a streaming call.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Calls {
    /// Runs short work that may block on the disk.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Separations) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, Status> {
        let separations = Arc::clone(&self.separations);
        blocking::run(move || work(&separations)).await?.map_err(to_status)
    }

    fn memory(&self) -> Arc<Budget> {
        Arc::clone(&self.memory)
    }

    async fn find(&self, session_id: &str) -> Result<Arc<Session>, Status> {
        lookup::session(&self.separations, session_id).await.map_err(to_status)
    }
}

#[tonic::async_trait]
impl SeparationService for Calls {
    type SeparateStream = Answers<proto::SeparateResponse>;
    type GetStemStream = Answers<proto::GetStemResponse>;
    type WatchSessionStream = Answers<proto::WatchSessionResponse>;

    async fn separate(
        &self,
        request: Request<Streaming<proto::SeparateRequest>>,
    ) -> Result<Response<Self::SeparateStream>, Status> {
        Ok(Response::new(separate::start(Arc::clone(&self.separations), request, self.memory())))
    }

    async fn get_stem(
        &self,
        request: Request<proto::GetStemRequest>,
    ) -> Result<Response<Self::GetStemStream>, Status> {
        let deadline = deadline::of(request.metadata());
        let request = request.into_inner();
        let session = self.find(&request.session_id).await?;
        Ok(Response::new(
            stem::start(&session, &request, deadline, self.memory()).map_err(to_status)?,
        ))
    }

    async fn watch_session(
        &self,
        request: Request<proto::WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        let deadline = deadline::of(request.metadata());
        let request = request.into_inner();
        let session = self.find(&request.session_id).await?;
        let readers = follow::readers(&session, &request).map_err(to_status)?;
        let watched = Arc::clone(&session);
        let watching = self.work(move |separations| Ok(separations.watch(&watched)?)).await?;
        Ok(Response::new(follow::watch(session, watching, readers, deadline, self.memory())))
    }

    async fn create_session(
        &self,
        request: Request<proto::CreateSessionRequest>,
    ) -> Result<Response<proto::CreateSessionResponse>, Status> {
        let client = client_of(request.extensions());
        let config = request.into_inner().config.unwrap_or_default();
        let settings = convert::settings(&config).map_err(to_status)?;
        let (session, _) = self.work(move |all| Ok(all.create_for(client, settings)?)).await?;
        let session = Some(convert::session(&session));
        Ok(Response::new(proto::CreateSessionResponse { session }))
    }

    async fn upload_chunk(
        &self,
        request: Request<proto::UploadChunkRequest>,
    ) -> Result<Response<proto::UploadChunkResponse>, Status> {
        let request = request.into_inner();
        let session = self.find(&request.session_id).await?;
        let store = move |all: &Separations| {
            add_chunk(all, &session, request.offset, &request.data)?;
            Ok(all.acknowledge(&session)?)
        };
        let committed_bytes = self.work(store).await?;
        Ok(Response::new(proto::UploadChunkResponse { committed_bytes }))
    }

    async fn finish_upload(
        &self,
        request: Request<proto::FinishUploadRequest>,
    ) -> Result<Response<proto::FinishUploadResponse>, Status> {
        let request = request.into_inner();
        let session = self.find(&request.session_id).await?;
        let finish = request.finish.unwrap_or_default();
        let session = self.work(move |all| finish_upload(all, &session, &finish)).await?;
        let session = Some(convert::session(&session));
        Ok(Response::new(proto::FinishUploadResponse { session }))
    }

    async fn get_session(
        &self,
        request: Request<proto::GetSessionRequest>,
    ) -> Result<Response<proto::GetSessionResponse>, Status> {
        let session = self.find(&request.into_inner().session_id).await?;
        let session = Some(convert::session(&session));
        Ok(Response::new(proto::GetSessionResponse { session }))
    }

    async fn list_sessions(
        &self,
        request: Request<proto::ListSessionsRequest>,
    ) -> Result<Response<proto::ListSessionsResponse>, Status> {
        list::sessions(self, request).await.map(Response::new)
    }

    async fn cancel_session(
        &self,
        request: Request<proto::CancelSessionRequest>,
    ) -> Result<Response<proto::CancelSessionResponse>, Status> {
        let session = self.find(&request.into_inner().session_id).await?;
        let cancelled = Arc::clone(&session);
        self.work(move |separations| {
            separations.cancel(&cancelled);
            Ok(separations.wait_stopped(&cancelled)?)
        })
        .await?;
        let session = Some(convert::session(&session));
        Ok(Response::new(proto::CancelSessionResponse { session }))
    }

    async fn delete_session(
        &self,
        request: Request<proto::DeleteSessionRequest>,
    ) -> Result<Response<proto::DeleteSessionResponse>, Status> {
        let session = self.find(&request.into_inner().session_id).await?;
        self.work(move |separations| Ok(separations.delete(&session)?)).await?;
        Ok(Response::new(proto::DeleteSessionResponse {}))
    }

    async fn list_models(
        &self,
        _: Request<proto::ListModelsRequest>,
    ) -> Result<Response<proto::ListModelsResponse>, Status> {
        Ok(Response::new(proto::ListModelsResponse { models: models(&self.separations) }))
    }

    async fn health(
        &self,
        _: Request<proto::HealthRequest>,
    ) -> Result<Response<proto::HealthResponse>, Status> {
        self.work(|separations| Ok(health(separations))).await.map(Response::new)
    }
}

/// All models: those of the chain first, then broken ones.
fn models(separations: &Separations) -> Vec<proto::Model> {
    let chain = separations.chain();
    let to_wire = |model: &Arc<Model>| model_to_wire(separations, model);
    let chain = chain.models();
    let in_chain = |name: &str| chain.iter().any(|model| model.card().name.as_str() == name);
    let available = separations.models();
    let others = available.all().iter().filter(|model| !in_chain(model.card().name.as_str()));
    let mut models: Vec<_> = chain.iter().chain(others).map(to_wire).collect();
    models.extend(available.faults().iter().map(|fault| proto::Model {
        state: proto::ModelState::Broken.into(),
        message: fault.to_string(),
        ..proto::Model::default()
    }));
    models
}

/// The chain, including the names that cannot be used.
fn engines(separations: &Separations) -> Vec<proto::Model> {
    let chain = separations.chain();
    let faults = chain.unavailable().iter().map(convert::fault);
    let models = chain.models().iter().map(|model| model_to_wire(separations, model));
    faults.chain(models).collect()
}

fn model_to_wire(separations: &Separations, model: &Arc<Model>) -> proto::Model {
    let health = separations.chain().health(model);
    let pool = separations.pool();
    let (execution, speed) = (pool.execution(model), pool.speed(model));
    let lanes = pool.cluster().map(|cluster| cluster.lanes_of(model.card().weights_hash()));
    convert::model(model, &health, execution.as_ref(), speed.as_ref(), lanes)
}

fn health(separations: &Separations) -> proto::HealthResponse {
    let counts = separations.counts();
    let limits = separations.limits();
    let (runtime, cluster) = (separations.pool().runtime(), separations.pool().cluster());
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let obstacle = separations.obstacle();
    let status = match &obstacle {
        None => proto::ServingStatus::Serving,
        Some(_) => proto::ServingStatus::NotServing,
    };
    proto::HealthResponse {
        status: status.into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        runtime: runtime.map(|runtime| proto::Runtime {
            name: runtime.name().to_owned(),
            path: runtime.path().display().to_string(),
        }),
        engines: engines(separations),
        open_sessions: count(counts.open),
        queued_sessions: count(counts.queued),
        max_open_sessions: count(limits.slots),
        max_queued_sessions: count(limits.queued_sessions),
        stored_bytes: separations.store().stored_bytes(),
        free_disk_bytes: files::free_bytes(separations.store().folder()).unwrap_or_default(),
        message: obstacle.as_ref().map(ToString::to_string).unwrap_or_default(),
        remedy: obstacle.map(|error| error.remedy()).unwrap_or_default(),
        decoder_sandbox: convert::sandbox(separations.sandbox()).into(),
        parked_sessions: count(counts.parked),
        max_parked_sessions: count(limits.parked_sessions),
        unreadable_sessions: count(separations.store().unreadable()),
        download_formats: download_formats(separations),
        cluster: cluster.map(convert::cluster),
    }
}

/// Names of the file formats of downloads, the default first.
fn download_formats(separations: &Separations) -> Vec<String> {
    let ffmpeg = separations.ffmpeg();
    encode::available(ffmpeg.as_ref()).map(|format| format.name().to_owned()).collect()
}
