//! Rung 2: a session is a directory of growing files and one progress counter.
//!
//! - [`layout`]: which file is which. [`manifest`]: what is known of a session, replaced atomically.
//! - [`engines`]: who computes which part of it.
//! - [`spool`]: the upload as received. [`tail`]: reading stems while they grow. [`peaks`]: how loud they
//!   are, for the eye. [`flac`]: the same, packed.
//! - [`live`]: a session in memory: its manifest, its upload, its [`signal`].
//! - [`store`]: all sessions of a data directory. [`retention`]: which of them go.
//!
//! Nothing here computes: engines are names and hashes to it, and audio is bytes.

pub mod disk;
pub mod engines;
pub mod failure;
pub mod flac;
pub mod id;
pub mod layout;
pub mod live;
pub mod manifest;
pub mod peaks;
pub mod retention;
pub mod settings;
pub mod signal;
pub mod spool;
pub mod store;
pub mod tail;

pub use failure::{Failure, Reason};
pub use id::SessionId;
pub use layout::Layout;
pub use live::{Added, Progress, Session, Stop};
pub use manifest::{Manifest, State};
pub use settings::Settings;
pub use signal::Signal;
pub use store::Store;
