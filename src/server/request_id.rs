//! Request ids: the same id is in a response, its error and the log lines about it.
//!
//! The id is the caller's `x-request-id` if it is valid, else a new UUID. It is not the `request_id` of a
//! session's config, which makes the creation of a session idempotent.

use std::fmt;

use axum::http::{HeaderMap, HeaderName};
use uuid::Uuid;

/// The header of requests and responses.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Limit of an id in characters; proxies and tracers join several ids.
const MAX_CHARS: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request, an extension of it: visible ASCII that needs no quotes in logs or headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestId(String);

impl RequestId {
    /// The caller's id, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> RequestId {
        let given = headers.get(HEADER).and_then(|given| given.to_str().ok());
        let fit = given.filter(|given| is_fit(given)).map(str::to_owned);
        fit.map_or_else(RequestId::fresh, RequestId)
    }

    /// A new UUID.
    pub(super) fn fresh() -> RequestId {
        RequestId(Uuid::new_v4().to_string())
    }

    /// The id of the request that this task answers.
    pub(super) fn current() -> Option<RequestId> {
        CURRENT.try_with(RequestId::clone).ok()
    }

    /// Runs `work`, which answers the request with this id.
    pub(super) async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_fit(given: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte);
    (1..=MAX_CHARS).contains(&given.len()) && given.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_an_id_that_can_be_written_anywhere_is_taken() {
        let check = |given: &str, fit| assert_eq!(is_fit(given), fit, "{given:?}");
        check("7", true);
        check("67e55044-10b1-426f-9247-bb680e5fe0c8", true);
        check("Root=1-67891233-abcdef012345678912345678", true);
        check(&"x".repeat(MAX_CHARS), true);
        check(&"x".repeat(MAX_CHARS + 1), false);
        for unfit in ["", " ", "a b", "a\"b", "a,b", "<b>", "a\u{7f}", "é", "a\tb", "{}", "a;b"] {
            check(unfit, false);
        }
    }

    #[test]
    fn a_request_without_a_valid_id_gets_a_new_one() {
        let (one, other) = (RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
        assert_ne!(one, other);
        assert!(Uuid::parse_str(&one.0).is_ok());
        let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_static("mine"))]);
        assert_eq!(RequestId::of(&headers).0, "mine");
    }
}
