//! Reasons for errors and for changes of engine, which need neither prost nor tonic.

pub use stemwire_client::reason::{Category, ChangeReason, DOMAIN, ErrorReason};
