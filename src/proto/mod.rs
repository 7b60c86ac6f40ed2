//! The protocol's messages, as generated from `proto/stemwire/v1`.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]

tonic::include_proto!("stemwire.v1");

/// The protocol's descriptors, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("stemwire.v1");

mod config;
pub mod reason;
