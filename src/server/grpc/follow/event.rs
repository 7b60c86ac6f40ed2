//! What happens to a session, as the two calls that follow one tell it.

use crate::wire;
use crate::wire::separate_response::Message as SeparateMessage;
use crate::wire::watch_session_response::Message as WatchMessage;

/// Something that happened to a session.
pub(in crate::server::grpc) enum Event {
    Session(wire::Session),
    Progress(wire::Progress),
    Stem(wire::StemChunk),
    EngineChange(wire::EngineChange),
    Done(wire::Session),
}

impl From<Event> for wire::SeparateResponse {
    fn from(event: Event) -> wire::SeparateResponse {
        let message = match event {
            Event::Session(session) => SeparateMessage::Session(session),
            Event::Progress(progress) => SeparateMessage::Progress(progress),
            Event::Stem(chunk) => SeparateMessage::Stem(chunk),
            Event::EngineChange(change) => SeparateMessage::EngineChange(change),
            Event::Done(session) => SeparateMessage::Done(session),
        };
        wire::SeparateResponse { message: Some(message) }
    }
}

impl From<Event> for wire::WatchSessionResponse {
    fn from(event: Event) -> wire::WatchSessionResponse {
        let message = match event {
            Event::Session(session) => WatchMessage::Session(session),
            Event::Progress(progress) => WatchMessage::Progress(progress),
            Event::Stem(chunk) => WatchMessage::Stem(chunk),
            Event::EngineChange(change) => WatchMessage::EngineChange(change),
            Event::Done(session) => WatchMessage::Done(session),
        };
        wire::WatchSessionResponse { message: Some(message) }
    }
}
