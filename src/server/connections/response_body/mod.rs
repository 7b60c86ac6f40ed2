//! The body of an answer. Its call is open until the body is sent or dropped.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

use super::connection::OpenCall;

/// A body with its call.
pub(super) struct ResponseBody {
    inner: Body,
    _call: OpenCall,
}

impl ResponseBody {
    pub(super) fn new(inner: Body, call: OpenCall) -> ResponseBody {
        ResponseBody { inner, _call: call }
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
