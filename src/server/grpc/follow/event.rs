//! Events of a session, as messages of `Separate` and `WatchSession`.

use crate::proto;
use crate::proto::separate_response::Message as SeparateMessage;
use crate::proto::watch_session_response::Message as WatchMessage;

/// An event of a session.
pub(in crate::server::grpc) enum Event {
    Session(proto::Session),
    Progress(proto::Progress),
    Stem(proto::StemChunk),
    EngineChange(proto::EngineChange),
    Done(proto::Session),
}

impl From<Event> for proto::SeparateResponse {
    fn from(event: Event) -> proto::SeparateResponse {
        let message = match event {
            Event::Session(session) => SeparateMessage::Session(session),
            Event::Progress(progress) => SeparateMessage::Progress(progress),
            Event::Stem(chunk) => SeparateMessage::Stem(chunk),
            Event::EngineChange(change) => SeparateMessage::EngineChange(change),
            Event::Done(session) => SeparateMessage::Done(session),
        };
        proto::SeparateResponse { message: Some(message) }
    }
}

impl From<Event> for proto::WatchSessionResponse {
    fn from(event: Event) -> proto::WatchSessionResponse {
        let message = match event {
            Event::Session(session) => WatchMessage::Session(session),
            Event::Progress(progress) => WatchMessage::Progress(progress),
            Event::Stem(chunk) => WatchMessage::Stem(chunk),
            Event::EngineChange(change) => WatchMessage::EngineChange(change),
            Event::Done(session) => WatchMessage::Done(session),
        };
        proto::WatchSessionResponse { message: Some(message) }
    }
}
