//! What several machines share: the object store behind [`Replica`](crate::session::replica::Replica), a [`secret`], the
//! [`tasks`] of one that others compute, and NATS, with the [`Leases`](crate::session::leases::Leases) of sessions.
//!
//! [`location`] has the addresses, [`object_replica`] is the store itself, over the crate `object_store`, which calls buckets
//! ([`buckets`]) by way of [`https`], and [`mod@check`] finds out whether it does what sessions need. [`nats`] connects to NATS, and
//! [`leases`] are in a bucket there, as is what processes announce of themselves ([`bucket_entry`]), in several [`copies`] if possible.
//! Asynchronous inside; what it offers is synchronous, like the sessions.
//!
//! Gateways announce the [`served_models`]; a [`model_fetcher`] gets what a worker lacks of them from the [`stored_models`].

mod bucket_entry;
mod buckets;
mod check;
mod copies;
mod https;
mod leases;
mod location;
mod model_fetcher;
mod nats;
mod object_replica;
mod secret;
mod served_models;
mod stored_models;
pub mod tasks;

pub use buckets::BucketService;
pub use check::{StoreFault, check, check_exclusive_creation, check_leases};
pub use leases::NatsLeases;
pub use location::{LocationError, NatsLocation, NatsLocationError, StoreLocation};
pub use model_fetcher::{FetchProgress, FetchStatus, FetchedBytes, ModelFetcher};
pub use nats::{Nats, NatsError};
pub use object_replica::ObjectReplica;
pub use secret::{ClusterSecret, MIN_SECRET_CHARS, SecretError};
pub use served_models::announce_models;
pub use stored_models::{PushOutcome, StoredModels};
