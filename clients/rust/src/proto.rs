//! The protocol's messages and the calls of its service, as generated from `proto/stemwire/v1`.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]

include!("generated/stemwire.v1.rs");
