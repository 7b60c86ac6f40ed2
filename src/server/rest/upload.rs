//! Receives a form with a song into a session.
//!
//! The session is created when the field `file` begins, and receives its bytes as they arrive. If the client
//! disconnects during the upload, the upload is discarded: the client has not received the id of its session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use multer::{Field, Multipart};
use tokio::time::timeout;

use super::file_name::file_name;
use super::metered_body::{BodyError, Meter};
use super::options::{OPTIONS, SeparateOptions};
use super::unfinished::Unfinished;
use super::{LINGERING, Refusal, Rest};
use crate::proto;
use crate::server::connections::client_of;
use crate::server::status::ApiError;
use crate::server::uploading::{MAX_CHUNK_BYTES, add_chunk, finish_upload};
use crate::session::{Session, SessionError};

/// Limit of an option's value, in bytes.
const MAX_OPTION_BYTES: usize = 4096;

/// Limit of the form without its song, in bytes: options, headers, boundaries.
const FORM_BYTES: u64 = 1 << 20;

/// Receives a form; returns its session, whose upload is complete.
///
/// # Errors
/// Errors of the form, the upload or the server; with the id of the session if it stays.
pub(super) async fn receive(
    rest: &Rest,
    request: Request,
) -> Result<(Arc<Session>, SeparateOptions), Refusal> {
    let mut options = SeparateOptions::of_query(request.uri().query(), OPTIONS)?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok());
    let boundary = boundary.ok_or(ApiError::MultipartMissing)?;
    let announced = check_announced(rest, &request);
    let client = client_of(request.extensions());
    // A client that sent `Expect` waits for the response before it sends the body.
    let asks = request.headers().contains_key(EXPECT);
    let (body, meter) = rest.metered(request.into_body());
    let mut form = Form { multipart: Multipart::new(body, boundary), client, meter, rest };
    let mut unfinished = Unfinished::none(&rest.separations);
    let received = match announced {
        Ok(()) => form.read(&mut options, &mut unfinished).await,
        Err(error) if asks => return Err(error.into()),
        Err(error) => Err(error),
    };
    match received {
        Ok(session) => Ok((session, options)),
        Err(error) => {
            let kept = unfinished.remove().await;
            // The rest of the upload is not needed.
            let _ = timeout(LINGERING, form.discard()).await;
            // Name the session whether the error was found during the upload or after it.
            Err(match kept {
                Some(session) => Refusal::of(&error, &session),
                None => error.into(),
            })
        }
    }
}

/// Refuses a body whose announced length exceeds the limit.
fn check_announced(rest: &Rest, request: &Request) -> Result<(), ApiError> {
    let limit = rest.separations.limits().upload_bytes;
    let header = request.headers().get(CONTENT_LENGTH).and_then(|text| text.to_str().ok());
    let announced = header.and_then(|text| text.parse().ok());
    let announced = announced.unwrap_or_else(|| request.body().size_hint().lower());
    if announced > limit.saturating_add(FORM_BYTES) {
        return Err(SessionError::UploadTooLarge { limit }.into());
    }
    Ok(())
}

struct Form<'a> {
    multipart: Multipart<'static>,
    client: Option<IpAddr>,
    meter: Meter,
    rest: &'a Rest,
}

impl Form<'_> {
    async fn read(
        &mut self,
        options: &mut SeparateOptions,
        unfinished: &mut Unfinished,
    ) -> Result<Arc<Session>, ApiError> {
        while let Some(mut field) = self.next_field(unfinished).await? {
            let name = field.name().unwrap_or_default().chars().take(64).collect::<String>();
            match (name.as_str(), unfinished.session()) {
                ("file", Some(_)) => return Err(ApiError::FieldRepeated(name)),
                (_, Some(_)) => return Err(ApiError::FieldLate(name)),
                ("file", None) => {
                    let settings = options.settings(&file_name(field.headers()))?;
                    let (separations, client) = (Arc::clone(&self.rest.separations), self.client);
                    // If the request is dropped meanwhile, the new session is dropped and so removed.
                    let opened =
                        self.rest.work(move |_| Unfinished::open(separations, client, settings));
                    *unfinished = opened.await?;
                    self.take_song(&mut field, unfinished).await?;
                }
                _ => {
                    let text = self.take_option(&name, &mut field).await?;
                    options.set_field(&name, &text)?;
                }
            }
        }
        let session = unfinished.session().map(Arc::clone).ok_or(ApiError::FileMissing)?;
        let total_bytes = session.uploaded();
        let finish = proto::Finish { total_bytes, ..proto::Finish::default() };
        let finished = Arc::clone(&session);
        self.rest.work(move |all| finish_upload(all, &finished, &finish)).await?;
        // The client can no longer discard the session.
        unfinished.keep();
        Ok(session)
    }

    async fn next_field(
        &mut self,
        unfinished: &Unfinished,
    ) -> Result<Option<Field<'static>>, ApiError> {
        let patience = self.rest.separations.limits().idle_upload;
        let committed = unfinished.session().map_or(0, |session| session.durable_bytes());
        let next = timeout(patience, self.multipart.next_field()).await;
        self.meter.reset();
        next.map_err(|_| idle(patience, committed))?.map_err(malformed)
    }

    /// Adds the song to the session's upload as it arrives.
    async fn take_song(
        &self,
        field: &mut Field<'static>,
        unfinished: &Unfinished,
    ) -> Result<(), ApiError> {
        let Some(session) = unfinished.session() else { return Ok(()) };
        let mut offset = 0;
        while let Some(mut bytes) = self.next_piece(field, offset).await? {
            while !bytes.is_empty() {
                let piece = bytes.split_to(bytes.len().min(MAX_CHUNK_BYTES));
                let (session, at) = (Arc::clone(session), offset);
                offset += piece.len() as u64;
                self.rest.work(move |all| add_chunk(all, &session, at, &piece)).await?;
            }
        }
        Ok(())
    }

    async fn take_option(
        &self,
        name: &str,
        field: &mut Field<'static>,
    ) -> Result<String, ApiError> {
        let mut value = Vec::new();
        while let Some(bytes) = self.next_piece(field, 0).await? {
            value.extend(bytes);
            if value.len() > MAX_OPTION_BYTES {
                let (name, limit) = (name.to_owned(), MAX_OPTION_BYTES);
                return Err(ApiError::FieldTooLong { name, limit });
            }
        }
        String::from_utf8(value)
            .map_err(|_| ApiError::MultipartMalformed(format!("the field {name:?} is not UTF-8")))
    }

    async fn next_piece(
        &self,
        field: &mut Field<'static>,
        committed: u64,
    ) -> Result<Option<Bytes>, ApiError> {
        let patience = self.rest.separations.limits().idle_upload;
        let next = timeout(patience, field.chunk()).await;
        self.meter.reset();
        next.map_err(|_| idle(patience, committed))?.map_err(malformed)
    }

    /// Reads and discards the rest of the form.
    async fn discard(&mut self) {
        while let Ok(Some(mut field)) = self.multipart.next_field().await {
            while let Ok(Some(_)) = field.chunk().await {
                self.meter.reset();
            }
        }
    }
}

fn idle(patience: Duration, committed: u64) -> ApiError {
    ApiError::UploadIdle { seconds: patience.as_secs(), committed }
}

fn malformed(error: multer::Error) -> ApiError {
    if let Some(refusal) = BodyError::of(&error).and_then(BodyError::refusal) {
        return refusal;
    }
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    ApiError::MultipartMalformed(format!("{error}{}", cause.unwrap_or_default()))
}
