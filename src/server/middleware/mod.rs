//! Layers of every request: access, CORS, request ids, traces, metrics, the status of gRPC responses.

pub(crate) mod admission;
pub(crate) mod auth;
pub(crate) mod cors;
pub(crate) mod grpc_deadline;
pub(crate) mod grpc_status;
mod guess_limit;
pub(crate) mod media_type;
pub(crate) mod messages;
pub(crate) mod metrics;
mod named_host;
pub(crate) mod request_id;
pub(crate) mod trace;
