//! Deadlines of calls.

use std::future::pending;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::{Instant, sleep_until};
use tonic::metadata::MetadataMap;

/// The deadline of a call, from its `grpc-timeout`. [`grpc_deadline`](crate::server::middleware::grpc_deadline)
/// enforces it only until the response headers.
pub(super) fn of(metadata: &MetadataMap) -> Option<Instant> {
    Some(Instant::now() + timeout(metadata.as_ref())?)
}

/// The value of `grpc-timeout`, if the header is present and valid.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    checked_timeout(headers).ok()?
}

/// The value of `grpc-timeout`, if the header is present.
///
/// # Errors
/// The start of a value that is not valid.
pub(super) fn checked_timeout(headers: &HeaderMap) -> Result<Option<Duration>, String> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    parse(&text).map(Some).ok_or_else(|| text.chars().take(32).collect())
}

/// Parses the value of `grpc-timeout`: at most eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_count = (1..=8).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_count)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Runs `work` until the deadline; `None` if the deadline passes first.
pub(super) async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let alarm = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
    };
    tokio::select! {
        result = work => Some(result),
        () = alarm => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse("90S"), Some(Duration::from_secs(90)));
        assert_eq!(parse("5m"), Some(Duration::from_millis(5)));
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        for bad in ["", "S", "5", "5x", "-1S", "+1S", "123456789S", "5é"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
