//! Calls that need no stream of their own.

use crate::error::ClientError;
use crate::proto;
use crate::server::{Server, Stub, connect};

/// Lists the models of a server: those of its chain first.
///
/// # Errors
/// [`ClientError`].
pub async fn models(server: &Server) -> Result<Vec<proto::Model>, ClientError> {
    let mut stub = connect(server).await?;
    Ok(stub.list_models(proto::ListModelsRequest {}).await?.into_inner().models)
}

/// The session of a request, by its `request_id`; created if there is none.
pub(crate) async fn session(
    stub: &mut Stub,
    config: &proto::SeparationConfig,
) -> Result<proto::Session, ClientError> {
    let request = proto::CreateSessionRequest { config: Some(config.clone()) };
    let created = stub.create_session(request).await?.into_inner();
    Ok(created.session.unwrap_or_default())
}

/// Cancels the session of a request, and returns its id. If there is none, one is created: a call that is still on its way
/// then finds it cancelled.
///
/// # Errors
/// [`ClientError`].
pub async fn cancel_request(
    server: &Server,
    config: &proto::SeparationConfig,
) -> Result<String, ClientError> {
    let mut stub = connect(server).await?;
    let session_id = session(&mut stub, config).await?.session_id;
    let request = proto::CancelSessionRequest { session_id: session_id.clone() };
    stub.cancel_session(request).await?;
    Ok(session_id)
}

/// Cancels a session. One that has ended stays as it is.
///
/// # Errors
/// [`ClientError`].
pub async fn cancel(server: &Server, session_id: &str) -> Result<(), ClientError> {
    let mut stub = connect(server).await?;
    stub.cancel_session(proto::CancelSessionRequest { session_id: session_id.to_owned() }).await?;
    Ok(())
}

/// Reads a stem of a session, from the request's frame.
///
/// # Errors
/// [`ClientError`].
pub async fn get_stem(
    server: &Server,
    request: proto::GetStemRequest,
) -> Result<tonic::Streaming<proto::GetStemResponse>, ClientError> {
    let mut stub = connect(server).await?;
    Ok(stub.get_stem(request).await?.into_inner())
}
