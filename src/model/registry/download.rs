//! Downloads one file over HTTP, continuing an earlier attempt.
//!
//! Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, certificate authorities from the system.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::RegistryError;
use super::fetched::PartialFile;

/// Time limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection without data for this long counts as broken.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Attempts without progress before giving up, and the pause before the first retry.
const MAX_ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A download is refused beyond this multiple of the expected size.
const MAX_SIZE_FACTOR: u64 = 4;

/// Downloads `address` into `partial`, continuing after the bytes in it. `expected` is the approximate size; `progress` gets
/// the bytes received and the bytes in all.
///
/// # Errors
/// [`RegistryError::Network`], [`RegistryError::Status`], [`RegistryError::Io`].
pub(super) fn fetch(
    address: &str,
    partial: &mut PartialFile,
    expected: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), RegistryError> {
    let (partial, file) = (partial.path.as_path(), &mut partial.file);
    let mut download = Download {
        agent: agent(),
        address,
        validator: None,
        total: expected,
        max: expected.saturating_mul(MAX_SIZE_FACTOR),
    };
    let mut answered = false;
    let mut failures = 0;
    loop {
        let before = file.seek(SeekFrom::End(0)).map_err(RegistryError::io(partial))?;
        let error = match download.attempt(file, before, progress) {
            Ok(()) => return file.sync_all().map_err(RegistryError::io(partial)),
            Err(error) => error,
        };
        let kept = file.metadata().map_err(RegistryError::io(partial))?.len();
        let network = |reason| RegistryError::Network { address: address.to_owned(), reason, kept };
        let (reason, passing) = match error {
            AttemptError::Disk(error) => return Err(RegistryError::io(partial)(error)),
            AttemptError::Refused(status) => {
                let status = status.as_u16();
                return Err(RegistryError::Status { address: address.to_owned(), status });
            }
            AttemptError::Connection(reason) => (reason, answered),
            AttemptError::Stream(reason) => (reason, true),
        };
        answered |= passing;
        failures = if kept > before { 0 } else { failures + 1 };
        // Without any answer so far the address may be wrong, so there is no retry.
        if !passing || failures >= MAX_ATTEMPTS {
            return Err(network(reason));
        }
        tracing::info!(%address, %reason, kept, "connection lost, retrying");
        std::thread::sleep(FIRST_PAUSE * 2_u32.pow(failures));
    }
}

fn agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(IDLE_TIMEOUT))
        .timeout_per_read(Some(IDLE_TIMEOUT))
        .user_agent(concat!("stemwire/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}

struct Download<'a> {
    agent: Agent,
    address: &'a str,
    /// The strong entity tag of the first answer.
    validator: Option<String>,
    total: u64,
    max: u64,
}

/// Why an attempt failed.
enum AttemptError {
    /// No answer.
    Connection(String),
    /// The answer is invalid or incomplete.
    Stream(String),
    Refused(StatusCode),
    Disk(io::Error),
}

impl Download<'_> {
    /// Requests the bytes after the first `have` and appends them to the file.
    fn attempt(
        &mut self,
        file: &mut File,
        have: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), AttemptError> {
        let mut request = self.agent.get(self.address).header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
            if let Some(validator) = &self.validator {
                request = request.header(IF_RANGE, validator);
            }
        }
        let answer = request.call().map_err(|error| AttemptError::Connection(error.to_string()))?;
        let start = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => have,
            StatusCode::RANGE_NOT_SATISFIABLE if content_range(&answer).1 == Some(have) => {
                // The file is complete, but not verified yet.
                return Ok(());
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                file.set_len(0).map_err(AttemptError::Disk)?;
                return Err(AttemptError::Stream(
                    "the server has fewer bytes than were received".into(),
                ));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(AttemptError::Stream("the server returned status 429".into()));
            }
            status if status.is_server_error() => {
                return Err(AttemptError::Stream(format!(
                    "the server returned status {}",
                    status.as_u16()
                )));
            }
            status => return Err(AttemptError::Refused(status)),
        };
        let end = self.end(&answer, start)?;
        self.validator = strong_validator(&answer);
        file.set_len(start)
            .and_then(|()| file.seek(SeekFrom::Start(start)))
            .map_err(AttemptError::Disk)?;
        self.copy(answer.into_body(), file, start, end, progress)
    }

    /// The size of the file according to the answer, if it has one.
    fn end(&mut self, answer: &Response<Body>, start: u64) -> Result<Option<u64>, AttemptError> {
        let end = if answer.status() == StatusCode::PARTIAL_CONTENT {
            let (first, total) = content_range(answer);
            if first != Some(start) {
                return Err(AttemptError::Stream(
                    "the server sent another range than requested".into(),
                ));
            }
            total
        } else {
            number(answer, CONTENT_LENGTH.as_str())
        };
        if end.is_some_and(|end| end > self.max) {
            return Err(AttemptError::Stream(format!("the file on the server has {end:?} bytes")));
        }
        self.total = end.unwrap_or(self.total);
        Ok(end)
    }

    fn copy(
        &self,
        body: Body,
        file: &mut File,
        start: u64,
        end: Option<u64>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), AttemptError> {
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 128 * 1024];
        let mut have = start;
        loop {
            progress(have, self.total);
            let count = match reader.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(AttemptError::Stream(error.to_string())),
            };
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count]).map_err(AttemptError::Disk)?;
            have += count as u64;
            if have > self.max {
                return Err(AttemptError::Stream(format!(
                    "the server sent more than {have} bytes"
                )));
            }
        }
        match end {
            Some(end) if have != end => {
                Err(AttemptError::Stream(format!("{have} of {end} bytes received")))
            }
            _ => Ok(()),
        }
    }
}

/// The entity tag, unless it is weak: a weak one does not identify the bytes.
fn strong_validator(answer: &Response<Body>) -> Option<String> {
    let tag = answer.headers().get(ETAG)?.to_str().ok()?;
    (!tag.starts_with("W/")).then(|| tag.to_owned())
}

/// The first byte and the total of a `Content-Range`: `bytes 7-99/100`, `bytes */100`.
fn content_range(answer: &Response<Body>) -> (Option<u64>, Option<u64>) {
    let text = answer.headers().get(CONTENT_RANGE).and_then(|text| text.to_str().ok());
    let Some((range, total)) = text.and_then(|text| text.strip_prefix("bytes ")?.split_once('/'))
    else {
        return (None, None);
    };
    let first = range.split_once('-').and_then(|(first, _)| first.parse().ok());
    (first, total.parse().ok())
}

fn number(answer: &Response<Body>, header: &str) -> Option<u64> {
    answer.headers().get(header)?.to_str().ok()?.parse().ok()
}
