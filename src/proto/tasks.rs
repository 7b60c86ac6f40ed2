//! The messages between the parts of a cluster, and the service by which workers get tasks from their owner, as generated from
//! `src/cluster/proto`.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]

tonic::include_proto!("stemwire.cluster.v1");
