//! Errors of calls.

use std::collections::HashMap;
use std::time::Duration;

use tonic::Code;
use tonic_types::StatusExt;

use crate::reason::{Category, DOMAIN, ErrorReason};

/// Error of a call.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not valid.
    #[error("{url:?} is not a server URL: {problem}")]
    Url {
        /// The URL.
        url: String,
        /// The fault.
        problem: String,
    },
    /// The connection cannot be established.
    #[error("cannot connect to {url}: {problem}")]
    Connect {
        /// The URL.
        url: String,
        /// The innermost cause.
        problem: String,
    },
    /// The server refused the call, or the connection broke during it.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The server violated the protocol.
    #[error("the server's response is invalid: {0}")]
    Protocol(String),
    /// The song cannot be read, or a stem cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The error that ended a call.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The code.
    pub code: Code,
    /// The reason, in `UPPER_SNAKE`; empty if the error is not the server's.
    pub reason: String,
    /// The cause.
    pub message: String,
    /// The remedy, as one imperative sentence.
    pub remedy: String,
    /// The values and limits behind the message.
    pub metadata: HashMap<String, String>,
    /// Delay after which a retry may succeed; `None` if the server offers no retry.
    pub retry_after: Option<Duration>,
    /// The id of the call in the server's log; empty if no server answered.
    pub request_id: String,
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> ClientError {
        let details = status.get_error_details();
        // Errors of proxies have other domains.
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let reason = info.map(|info| info.reason.clone()).unwrap_or_default();
        let known = ErrorReason::from_name(&reason);
        let mut metadata = info.map(|info| info.metadata.clone()).unwrap_or_default();
        let given = metadata.remove("remedy");
        let remedy = given.or(known.map(|reason| reason.remedy().to_owned()));
        let retry = details.retry_info().filter(|_| info.is_some());
        let request = details.request_info().map(|info| info.request_id.clone());
        ClientError::Refused(Box::new(Refusal {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            remedy: remedy.unwrap_or_else(|| "See the server log, or try again later.".to_owned()),
            metadata,
            retry_after: retry.map(|retry| retry.retry_delay.unwrap_or_default()),
            request_id: request.unwrap_or_default(),
        }))
    }
}

impl ClientError {
    /// The error of a call that failed before its first response: an error of the server, or there is no Stemwire
    /// server at the URL.
    pub(crate) fn before_answer(url: &str, status: tonic::Status) -> ClientError {
        match ClientError::from(status) {
            ClientError::Refused(refusal) if refusal.is_broken() => {
                ClientError::Connect { url: url.to_owned(), problem: refusal.message }
            }
            error => error,
        }
    }

    /// The error of a call that has not ended in time.
    pub(crate) fn late(message: &str) -> ClientError {
        tonic::Status::deadline_exceeded(message).into()
    }

    /// The error of a call that the server has not answered within the client's own limit, and that may be repeated.
    pub(crate) fn unanswered(limit: Duration) -> ClientError {
        let message = format!("the server did not answer within {} s", limit.as_secs());
        let mut error = ClientError::late(&message);
        if let ClientError::Refused(refusal) = &mut error {
            refusal.retry_after = Some(Duration::ZERO);
        }
        error
    }

    /// The category of the error, which determines the exit code.
    pub fn category(&self) -> Category {
        match self {
            ClientError::Url { .. } => Category::Usage,
            ClientError::Refused(refusal) => ErrorReason::from_name(&refusal.reason)
                .map_or(Category::Server, ErrorReason::category),
            ClientError::Connect { .. } | ClientError::Protocol(_) => Category::Server,
            ClientError::Io(_) => Category::Disk,
        }
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            ClientError::Url { .. } => "Write it as http://HOST:PORT.".into(),
            ClientError::Connect { url, .. } if url.starts_with("https://") => {
                "Check that the server uses TLS there; if its certificate is signed by an authority \
                 that this system does not know, name it with --tls-ca."
                    .into()
            }
            ClientError::Connect { url, .. } => format!(
                "Start it with `stemwire serve`, or check that {url} is right: https:// with TLS."
            ),
            ClientError::Refused(refusal) => refusal.remedy.clone(),
            ClientError::Protocol(_) => "Use the same version of client and server.".into(),
            ClientError::Io(_) => {
                "Check that the song can be read, and that the folder can be written and has space."
                    .into()
            }
        }
    }

    /// Shortest delay before the call may be repeated; `None` if it must not be, because the server offered no retry or
    /// the error is local.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Connect { .. } => Some(Duration::ZERO),
            ClientError::Refused(refusal) => {
                refusal.retry_after.or(refusal.is_broken().then_some(Duration::ZERO))
            }
            ClientError::Url { .. } | ClientError::Protocol(_) | ClientError::Io(_) => None,
        }
    }
}

impl Refusal {
    /// Whether the connection broke during the call.
    fn is_broken(&self) -> bool {
        let code = self.code;
        self.reason.is_empty()
            && matches!(code, Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;
    use tonic_types::ErrorDetails;

    use super::*;

    fn retry(
        code: Code,
        reason: &str,
        domain: &str,
        offered: Option<Duration>,
    ) -> Option<Duration> {
        let mut details = ErrorDetails::with_error_info(reason, domain, []);
        if offered.is_some() {
            details.set_retry_info(offered);
        }
        ClientError::from(Status::with_error_details(code, "cause", details)).retry_after()
    }

    #[test]
    fn a_call_is_repeated_where_its_answer_has_retry_info_whatever_the_reason() {
        for reason in ErrorReason::ALL.iter().copied() {
            let code = Code::from_i32(reason.code());
            let found = retry(code, reason.as_str(), DOMAIN, reason.retry_after());
            assert_eq!(found, reason.retry_after(), "{reason}");
            assert_eq!(retry(code, reason.as_str(), DOMAIN, None), None, "{reason}");
        }
    }

    #[test]
    fn a_broken_connection_is_retried() {
        for code in [Code::Unavailable, Code::Unknown, Code::Internal, Code::Cancelled] {
            let broken = ClientError::from(Status::new(code, "h2 protocol error"));
            assert_eq!(broken.retry_after(), Some(Duration::ZERO), "{code:?}");
            let proxy = retry(code, "UPSTREAM_DOWN", "proxy.example", None);
            assert_eq!(proxy, Some(Duration::ZERO), "{code:?}");
        }
        assert_eq!(ClientError::from(Status::deadline_exceeded("late")).retry_after(), None);
        let unanswered = ClientError::unanswered(Duration::from_secs(30));
        assert_eq!(unanswered.retry_after(), Some(Duration::ZERO));
    }
}
