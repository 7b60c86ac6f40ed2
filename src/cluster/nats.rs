//! The connection to NATS, whose JetStream has the leases of sessions and the queue of tasks.

use std::future::Future;
use std::io;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::AccountErrorKind;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, jetstream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::NatsLocation;

/// The oldest server whose JetStream does what is needed: major, minor and patch version.
const LEAST_VERSION: (i64, i64, i64) = (2, 10, 0);

/// Time limit of connecting to one server.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Interval of pings. After two without a reply, another server is connected to: within 9 s, so that no lease ends.
const PING: Duration = Duration::from_secs(3);

/// Time limit of one call. Answers take milliseconds, and what calls is waited for by clients.
const CALL_TIME: Duration = Duration::from_secs(2);

/// Threads that wait for the server's answers.
const THREADS: usize = 1;

/// A connection, which is made again whenever it is lost.
#[derive(Debug)]
pub struct Nats {
    client: Client,
    jetstream: Context,
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
}

/// NATS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// No thread could be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] io::Error),
    /// No server answers.
    #[error("{location} cannot be reached: {cause}")]
    Unreachable {
        /// The servers.
        location: NatsLocation,
        /// What the system reports.
        cause: String,
    },
    /// The server refuses the credentials.
    #[error("{location} refuses the connection: {cause}")]
    Refused {
        /// The servers.
        location: NatsLocation,
        /// What the server reports.
        cause: String,
    },
    /// The server is too old.
    #[error(
        "{location} has version {version} of the NATS server; the oldest that can be used is 2.10"
    )]
    TooOld {
        /// The servers.
        location: NatsLocation,
        /// The version.
        version: String,
    },
    /// The queue of tasks cannot be used.
    #[error("the queue of tasks in NATS cannot be used: {0}")]
    Queue(String),
    /// A bucket has other settings than it must have.
    #[error("the bucket {bucket} of NATS cannot be used: {problem}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// Which settings.
        problem: String,
    },
    /// The server has no JetStream.
    #[error("{location} has no JetStream: {cause}")]
    NoJetStream {
        /// The servers.
        location: NatsLocation,
        /// What the server reports.
        cause: String,
    },
}

impl NatsError {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            NatsError::Threads(_) => "Raise the limit of threads of this process.",
            NatsError::Unreachable { .. } => {
                "Check that the NATS server runs, and that its address in --cluster is right."
            }
            NatsError::Refused { .. } => {
                "Put user and password into the URL of --cluster, such as nats://user:password@host:4222."
            }
            NatsError::TooOld { .. } => "Install version 2.10 or later of the NATS server.",
            NatsError::Bucket { .. } => {
                "Remove the bucket with `nats kv del` while no gateway runs; it is then made anew."
            }
            NatsError::Queue(_) => {
                "Check that JetStream has memory left; remove a stream of other settings with `nats stream rm`."
            }
            NatsError::NoJetStream { .. } => {
                "Start the NATS server with --jetstream, and allow JetStream to the account."
            }
        }
    }
}

/// A call to NATS that has failed, with what NATS or the system reports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct NatsCallError(pub(super) String);

impl NatsCallError {
    /// With the words of the innermost cause.
    pub(super) fn of(error: impl std::error::Error + 'static) -> NatsCallError {
        NatsCallError(innermost(&error))
    }
}

impl Nats {
    /// Connects to one of the servers. `without` is what the log says of this process whenever the connection is lost.
    ///
    /// # Errors
    /// [`NatsError`].
    pub fn connect(location: &NatsLocation, without: &'static str) -> Result<Nats, NatsError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("nats")
            .enable_all()
            .build()?;
        let (client, jetstream) = runtime.block_on(connect(location, without))?;
        Ok(Nats { client, jetstream, runtime: Some(runtime) })
    }

    /// Its JetStream, whose calls are made within [`Nats::wait`].
    pub(super) fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// The version of the server.
    pub fn version(&self) -> String {
        self.client.server_info().version
    }

    /// Whether the server is one of several, so that data can be on more than one.
    pub(super) fn is_clustered(&self) -> bool {
        self.client.server_info().cluster.is_some()
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Runs a task beside the connection, until it ends or the connection is dropped.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            drop(runtime.spawn(task));
        }
    }

    /// Waits for a call. Not for threads that run asynchronous tasks. Fails at once while there is no connection.
    ///
    /// # Errors
    /// There is no connection or no answer in time.
    pub(super) fn wait<T>(&self, call: impl Future<Output = T>) -> Result<T, NatsCallError> {
        if !self.is_connected() {
            return Err(NatsCallError("there is no connection to NATS".to_owned()));
        }
        let Some(runtime) = &self.runtime else {
            return Err(NatsCallError("it is closed".to_owned()));
        };
        let limited = async { timeout(CALL_TIME, call).await };
        let late =
            || NatsCallError(format!("NATS has not answered within {} s", CALL_TIME.as_secs()));
        runtime.block_on(limited).map_err(|_| late())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait, so it may be dropped anywhere.
            runtime.shutdown_background();
        }
    }
}

async fn connect(
    location: &NatsLocation,
    without: &'static str,
) -> Result<(Client, Context), NatsError> {
    let unreachable = |cause: String| NatsError::Unreachable { location: location.clone(), cause };
    let servers: Result<Vec<async_nats::ServerAddr>, _> =
        location.urls().map(|url| url.as_str().parse()).collect();
    let servers = servers.map_err(|error: io::Error| unreachable(error.to_string()))?;
    let connecting = ConnectOptions::new()
        .name("stemwire")
        .connection_timeout(CONNECT_TIME)
        .request_timeout(Some(CALL_TIME))
        .ping_interval(PING)
        .event_callback(move |event| report(event, without))
        .connect(servers);
    let client = connecting.await.map_err(|error| {
        let cause = innermost(&error);
        match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                NatsError::Refused { location: location.clone(), cause }
            }
            _ => unreachable(cause),
        }
    })?;
    let (major, minor, patch) = LEAST_VERSION;
    if !client.is_server_compatible(major, minor, patch) {
        let version = client.server_info().version;
        return Err(NatsError::TooOld { location: location.clone(), version });
    }
    let jetstream = jetstream::new(client.clone());
    jetstream.query_account().await.map_err(|error| {
        let cause = innermost(&error);
        match error.kind() {
            AccountErrorKind::JetStream(_) | AccountErrorKind::JetStreamUnavailable => {
                NatsError::NoJetStream { location: location.clone(), cause }
            }
            _ => unreachable(cause),
        }
    })?;
    Ok((client, jetstream))
}

/// Logs what happens to the connection.
async fn report(event: Event, without: &str) {
    match event {
        Event::Connected => tracing::info!("NATS is connected"),
        Event::Disconnected => tracing::error!("NATS is away: {without}"),
        other => tracing::warn!("NATS: {other}"),
    }
}

/// An error with the words of its innermost cause.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
