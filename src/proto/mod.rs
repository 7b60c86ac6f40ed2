//! The protocol: messages and error reasons of `stemwire-client`, the service to implement, the descriptors.

pub use stemwire_client::proto::*;

/// The service, as generated from `proto/stemwire/v1`.
mod service {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]

    tonic::include_proto!("stemwire.v1");
}

pub use service::separation_service_server;

/// The protocol's descriptors, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("stemwire.v1");

mod config;
pub mod reason;
pub mod tasks;
