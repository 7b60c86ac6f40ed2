//! What several machines share: the object store behind [`Replica`](crate::session::replica::Replica), a [`secret`], and
//! the [`tasks`] of one that others compute.
//!
//! [`location`] is the address of a store, [`object_replica`] the store itself, over the crate `object_store`, which calls buckets
//! ([`s3`]) by way of [`https`], and [`mod@check`] finds out whether it does what sessions need. Asynchronous inside; what it offers is synchronous, like the sessions.

mod check;
mod https;
mod location;
mod object_replica;
mod s3;
mod secret;
pub mod tasks;

pub use check::{StoreFault, check, check_exclusive_creation};
pub use location::{LocationError, StoreLocation};
pub use object_replica::ObjectReplica;
pub use secret::{ClusterSecret, MIN_SECRET_CHARS, SecretError};
