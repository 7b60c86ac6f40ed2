//! What a session that is followed reports, and what is asked of one that exists.

use std::time::Duration;

use super::Chunk;
use crate::error::ClientError;
use crate::proto::{self, Encoding, OutputChannels};

/// What to receive of an existing session.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchOptions {
    /// Stems; empty for all of the session.
    pub stems: Vec<String>,
    /// First frame.
    pub start_frame: u64,
    /// Encoding of the samples.
    pub encoding: Encoding,
    /// Factor applied to every sample.
    pub gain: f32,
    /// Channels of the samples.
    pub channels: OutputChannels,
}

impl Default for WatchOptions {
    fn default() -> WatchOptions {
        WatchOptions {
            stems: Vec::new(),
            start_frame: 0,
            encoding: Encoding::F32le,
            gain: 1.0,
            channels: OutputChannels::Unspecified,
        }
    }
}

/// An event of a session.
#[derive(Debug)]
pub enum Event {
    /// A call begins with the next [`Separation::next`](super::Separation::next). From then on the server may have a session of this request, also if
    /// the call fails.
    Calling,
    /// The session: at the start of each call, and once the format of the song is known, before the first chunk.
    Session(proto::Session),
    /// Progress.
    Progress(proto::Progress),
    /// The next frames of a stem. Each frame comes once and in order, also after a broken connection; all stems advance together.
    Chunk(Chunk),
    /// A switch to another engine.
    EngineChange(proto::EngineChange),
    /// The call failed and is repeated after `pause`.
    Reconnecting {
        /// Why.
        error: ClientError,
        /// Until the next call begins.
        pause: Duration,
    },
    /// The session is done, and its stems have the lengths and hashes that the server computed. The last event.
    Done(proto::Session),
}
