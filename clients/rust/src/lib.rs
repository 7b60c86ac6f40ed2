//! gRPC client of Stemwire, a music source separation service.
//!
//! [`separate()`] sends a song and receives its stems. After a broken connection it reconnects and continues where
//! both sides are.

mod calls;
mod error;
pub mod proto;
pub mod reason;
mod separate;
mod server;

pub use calls::{cancel, cancel_request, get_stem, models};
pub use error::ClientError;
pub use separate::{Request, Sink, Song, separate};
pub use server::Server;
