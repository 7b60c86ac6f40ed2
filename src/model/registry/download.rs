//! One file by HTTP, going on where an earlier attempt broke off.
//!
//! Proxies are taken from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, authorities from the
//! system.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::RegistryError;

/// A server that has not answered by then will not.
const CONNECT: Duration = Duration::from_secs(20);

/// A connection on which nothing comes for so long is broken.
const SILENCE: Duration = Duration::from_secs(30);

/// How often a broken connection is made again without having got on, and how long to wait first.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A server that sends so many times what is expected does not have the file.
const MOST: u64 = 4;

/// Fetches `address` into `part`, after what that holds already. `expected` bytes are about how many
/// there are; `progress` gets those that are here and those there will be.
///
/// # Errors
/// [`RegistryError::Network`], [`RegistryError::Status`], [`RegistryError::Io`], [`RegistryError::Busy`].
pub(super) fn fetch(
    address: &str,
    part: &Path,
    expected: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), RegistryError> {
    let mut file = open(part)?;
    let mut download = Download {
        agent: agent(),
        address,
        validator: None,
        total: expected,
        most: expected.saturating_mul(MOST),
    };
    let mut answered = false;
    let mut failures = 0;
    loop {
        let before = file.seek(SeekFrom::End(0)).map_err(RegistryError::io(part))?;
        let broken = match download.attempt(&mut file, before, progress) {
            Ok(()) => return file.sync_all().map_err(RegistryError::io(part)),
            Err(broken) => broken,
        };
        let kept = file.metadata().map_err(RegistryError::io(part))?.len();
        let network = |reason| RegistryError::Network { address: address.to_owned(), reason, kept };
        let (reason, passing) = match broken {
            Broken::Disk(error) => return Err(RegistryError::io(part)(error)),
            Broken::Refused(status) => {
                let status = status.as_u16();
                return Err(RegistryError::Status { address: address.to_owned(), status });
            }
            Broken::Connection(reason) => (reason, answered),
            Broken::Stream(reason) => (reason, true),
        };
        answered |= passing;
        failures = if kept > before { 0 } else { failures + 1 };
        // A server that never answered need not be asked again: its address may be wrong.
        if !passing || failures >= ATTEMPTS {
            return Err(network(reason));
        }
        tracing::info!(%address, %reason, kept, "the connection broke; connecting again");
        std::thread::sleep(FIRST_PAUSE * 2_u32.pow(failures));
    }
}

/// Opens the unfinished file for this process alone.
fn open(part: &Path) -> Result<File, RegistryError> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(part);
    let file = file.map_err(RegistryError::io(part))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(RegistryError::Busy { path: part.to_owned() })
        }
        // Some file systems have no locks; then two processes at once would only spoil the hash.
        Err(std::fs::TryLockError::Error(_)) => Ok(file),
    }
}

fn agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("stemwire/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}

struct Download<'a> {
    agent: Agent,
    address: &'a str,
    /// What names the file that the first answer was of.
    validator: Option<String>,
    total: u64,
    most: u64,
}

/// Why an attempt ended.
enum Broken {
    /// There was no answer.
    Connection(String),
    /// The answer makes no sense or broke off.
    Stream(String),
    Refused(StatusCode),
    Disk(io::Error),
}

impl Download<'_> {
    /// Asks once for what comes after `have` bytes, and adds it to the file.
    fn attempt(
        &mut self,
        file: &mut File,
        have: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Broken> {
        let mut request = self.agent.get(self.address).header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
            if let Some(validator) = &self.validator {
                request = request.header(IF_RANGE, validator);
            }
        }
        let answer = request.call().map_err(|error| Broken::Connection(error.to_string()))?;
        let start = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => have,
            StatusCode::RANGE_NOT_SATISFIABLE if content_range(&answer).1 == Some(have) => {
                // All of it is here; it was not verified yet.
                return Ok(());
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                file.set_len(0).map_err(Broken::Disk)?;
                return Err(Broken::Stream("the server has less than what is here".into()));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(Broken::Stream("it is asked too often".into()));
            }
            status if status.is_server_error() => {
                return Err(Broken::Stream(format!("the server answers {}", status.as_u16())));
            }
            status => return Err(Broken::Refused(status)),
        };
        let end = self.end(&answer, start)?;
        self.validator = strong_validator(&answer);
        file.set_len(start)
            .and_then(|()| file.seek(SeekFrom::Start(start)))
            .map_err(Broken::Disk)?;
        self.copy(answer.into_body(), file, start, end, progress)
    }

    /// Where the answer ends, if it says so.
    fn end(&mut self, answer: &Response<Body>, start: u64) -> Result<Option<u64>, Broken> {
        let end = if answer.status() == StatusCode::PARTIAL_CONTENT {
            let (first, total) = content_range(answer);
            if first != Some(start) {
                return Err(Broken::Stream("the server sends another range than asked for".into()));
            }
            total
        } else {
            number(answer, CONTENT_LENGTH.as_str())
        };
        if end.is_some_and(|end| end > self.most) {
            return Err(Broken::Stream(format!("the server's file has {end:?} bytes")));
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
    ) -> Result<(), Broken> {
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 128 * 1024];
        let mut have = start;
        loop {
            progress(have, self.total);
            let count = match reader.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Stream(error.to_string())),
            };
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count]).map_err(Broken::Disk)?;
            have += count as u64;
            if have > self.most {
                return Err(Broken::Stream(format!("the server sent more than {have} bytes")));
            }
        }
        match end {
            Some(end) if have != end => Err(Broken::Stream(format!("{have} of {end} bytes came"))),
            _ => Ok(()),
        }
    }
}

/// A validator that names these very bytes; a weak one does not.
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
