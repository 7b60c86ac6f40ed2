//! `ListSessions`: the sessions of all gateways.

use axum::http;
use prost::Message;
use prost::bytes::{BufMut, Bytes, BytesMut};
use tonic::{Request, Status};

use super::Calls;
use crate::proto;
use crate::server::convert;
use crate::server::convert::paging::page_size;
use crate::server::listing::{ListedSession, OtherPages, SessionPage, merge, own_page};
use crate::server::status::{ApiError, to_status};
use crate::session::manifest::Timestamp;
use crate::session::store::PageCursor;

/// The path of the call.
const PATH: &str = "/stemwire.v1.SeparationService/ListSessions";

/// A page of the sessions of this gateway and, for a call of a client, of the others.
pub(super) async fn sessions(
    calls: &Calls,
    request: Request<proto::ListSessionsRequest>,
) -> Result<proto::ListSessionsResponse, Status> {
    let cursor = match request.get_ref().page_token.as_str() {
        "" => None,
        token => Some(
            PageCursor::from_token(token).ok_or_else(|| to_status(ApiError::PageTokenInvalid))?,
        ),
    };
    let size = page_size(request.get_ref().page_size);
    let OtherPages { pages: others, are_all_there } = others(calls, &request).await;
    let own = calls.work(move |all| Ok(own_page(all.store(), are_all_there, cursor, size)));
    let (own, next) = own.await?;
    let own = proto::ListSessionsResponse {
        sessions: own.iter().map(|session| convert::session(session)).collect(),
        next_page_token: next.map(PageCursor::to_token).unwrap_or_default(),
    };
    if others.is_empty() {
        return Ok(own);
    }
    let pages = std::iter::once(own).chain(others).map(page).collect();
    let (sessions, next) = merge(pages, size);
    let next_page_token = next.map(PageCursor::to_token).unwrap_or_default();
    Ok(proto::ListSessionsResponse { sessions, next_page_token })
}

/// The pages of the other gateways.
async fn others(
    calls: &Calls,
    request: &Request<proto::ListSessionsRequest>,
) -> OtherPages<proto::ListSessionsResponse> {
    let Some(forwarder) = &calls.forwarder else { return OtherPages::default() };
    let gateways = calls.separations.store().other_servers();
    if gateways.is_empty() {
        return OtherPages::default();
    }
    let mut asked = http::Request::new(framed(request.get_ref()));
    *asked.method_mut() = http::Method::POST;
    *asked.uri_mut() = http::Uri::from_static(PATH);
    asked.headers_mut().clone_from(request.metadata().as_ref());
    asked.extensions_mut().clone_from(request.extensions());
    let answers = forwarder.ask(&gateways, &asked).await;
    let pages = answers.into_iter().filter_map(|answer| Message::decode(answer).ok());
    OtherPages::of(pages.collect(), gateways.len())
}

/// A message as the body of a call.
fn framed(message: &impl Message) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(0);
    // It was received in one of less.
    body.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
    body.put_slice(&message.encode_to_vec());
    body.freeze()
}

fn page(response: proto::ListSessionsResponse) -> SessionPage<proto::Session> {
    let has_more = !response.next_page_token.is_empty();
    let sessions = response.sessions.into_iter().filter_map(listed).collect();
    SessionPage { sessions, has_more }
}

fn listed(session: proto::Session) -> Option<ListedSession<proto::Session>> {
    let (created, updated) = (session.create_time.as_ref(), session.update_time.as_ref());
    let (created, updated) = (milliseconds(created?), milliseconds(updated?));
    Some(ListedSession { id: session.session_id.parse().ok()?, created, updated, view: session })
}

fn milliseconds(time: &prost_types::Timestamp) -> Timestamp {
    let of_seconds = u64::try_from(time.seconds).unwrap_or_default().saturating_mul(1000);
    Timestamp(of_seconds.saturating_add(u64::try_from(time.nanos / 1_000_000).unwrap_or_default()))
}
