//! What every request passes: access, request ids, metrics, error details.

pub(crate) mod auth;
pub(crate) mod caller;
pub(crate) mod cors;
pub(crate) mod error_details;
pub(crate) mod metrics;
pub(crate) mod request_id;
pub(crate) mod trailers;
