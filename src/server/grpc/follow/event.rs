//! Events of a session, as messages of `Separate` and `WatchSession`.

use crate::proto;
use crate::proto::separate_response::Message as SeparateMessage;
use crate::proto::watch_session_response::Message as WatchMessage;

/// An event of a session.
pub(in crate::server::grpc) enum StreamEvent {
    Session(proto::Session),
    Progress(proto::Progress),
    Stem(proto::StemChunk),
    EngineChange(proto::EngineChange),
    Done(proto::Session),
}

impl From<StreamEvent> for proto::SeparateResponse {
    fn from(event: StreamEvent) -> proto::SeparateResponse {
        let message = match event {
            StreamEvent::Session(session) => SeparateMessage::Session(session),
            StreamEvent::Progress(progress) => SeparateMessage::Progress(progress),
            StreamEvent::Stem(chunk) => SeparateMessage::Stem(chunk),
            StreamEvent::EngineChange(change) => SeparateMessage::EngineChange(change),
            StreamEvent::Done(session) => SeparateMessage::Done(session),
        };
        proto::SeparateResponse { message: Some(message) }
    }
}

impl From<StreamEvent> for proto::WatchSessionResponse {
    fn from(event: StreamEvent) -> proto::WatchSessionResponse {
        let message = match event {
            StreamEvent::Session(session) => WatchMessage::Session(session),
            StreamEvent::Progress(progress) => WatchMessage::Progress(progress),
            StreamEvent::Stem(chunk) => WatchMessage::Stem(chunk),
            StreamEvent::EngineChange(change) => WatchMessage::EngineChange(change),
            StreamEvent::Done(session) => WatchMessage::Done(session),
        };
        proto::WatchSessionResponse { message: Some(message) }
    }
}
