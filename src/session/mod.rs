//! Sessions: a session is a directory of growing files with one commit counter.
//!
//! - [`layout`]: the files of a session. [`manifest`]: what is known of it, replaced atomically; among it the [`state`]
//!   that clients see, the [`engines`] that compute its parts, and the [`failure`] that ended it,
//!   and the [`source`] that is separated.
//! - [`checksums`]: of the committed frames. [`error`]: errors of calls on a session.
//! - [`spool`]: the upload as received. [`stem_reader`]: reads stems while they grow; [`mix_reader`]: their sum.
//!   [`peaks`]: waveform peaks.
//!   [`flac`]: stems as FLAC files, kept as [`cached_file`]s. [`name_template`]: names of such files. [`cover`]: the picture of the song.
//! - [`lifecycle`]: states, events and actions, as one pure function.
//! - [`live`]: a session in memory: manifest, upload, and the [`notifier`] of its changes.
//! - [`disk_space`]: limits of the disk space while sessions run.
//! - [`replica`]: where they are kept beside the local disk; [`replication`] stores them there. [`leases`]: which server of a
//!   cluster has one.
//! - [`store`]: all sessions of a data directory. [`stored_size`]: bytes on disk. [`retention`]: which sessions are removed.
//!
//! Nothing here computes: engines are names and hashes, audio is bytes.

pub mod cached_file;
pub mod checksums;
pub mod cover;
pub mod disk_space;
pub mod engines;
pub mod error;
pub mod failure;
pub mod flac;
pub mod id;
pub mod layout;
pub mod leases;
pub mod lifecycle;
pub mod live;
pub mod manifest;
pub mod mix_reader;
pub mod name_template;
pub mod notifier;
pub mod peaks;
mod plan;
pub mod replica;
mod replication;
pub mod retention;
pub mod settings;
pub mod source;
pub mod spool;
pub mod state;
pub mod stem_reader;
pub mod store;
mod stored_size;

pub use error::SessionError;
pub use failure::Failure;
pub use id::SessionId;
pub use layout::Layout;
pub use live::{Added, Progress, Session};
pub use manifest::Manifest;
pub use notifier::Notifier;
pub use settings::Settings;
pub use state::SessionState;
pub use store::Store;
