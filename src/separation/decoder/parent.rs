//! What starts a decoder, tells it how the upload grows, and watches it.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::DecoderConfig;
use super::protocol::COMPLETE;
use super::rank::lower_thread;
use super::receiver::Receiver;
use crate::audio::{Encoding, Frames, Hertz};
use crate::separation::track_file::{Statistics, TrackFileWriter};
use crate::session::{Failure, Reason, Session};

/// A decoder at work on a session. Dropping it ends the child and both threads.
pub(crate) struct Decoding {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// How far a decoder is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decoded {
    /// Frames of the track that can be read.
    pub(crate) frames: Frames,
    /// Whether those are all.
    pub(crate) complete: bool,
    /// The numbers of these frames.
    pub(crate) statistics: Statistics,
    /// Why there will be no more.
    pub(crate) failure: Option<Failure>,
}

/// How a decoder works for a session.
pub(crate) struct DecodingPlan {
    /// The model's rate, which is the track's.
    pub(crate) rate: Hertz,
    /// Frames that make the statistics' head.
    pub(crate) head: Frames,
    /// Frames of the track that are safely on disk.
    pub(crate) safe: Frames,
    /// The longest track that is taken.
    pub(crate) limit: Frames,
}

/// What the threads of a decoder share.
pub(super) struct Shared {
    pub(super) session: Arc<Session>,
    decoded: Mutex<Decoded>,
    child: Mutex<Child>,
    /// Set when nobody wants more.
    ended: AtomicBool,
    /// Since when the child has had bytes and said nothing; `None` while it waits for bytes.
    busy_since: Mutex<Option<Instant>>,
    /// The last word that the child was told.
    pub(super) told: AtomicU64,
}

impl Decoding {
    /// Starts a child for the session's upload.
    ///
    /// # Errors
    /// What the system says about the track's file or the process.
    pub(crate) fn start(
        session: &Arc<Session>,
        config: &DecoderConfig,
        plan: DecodingPlan,
    ) -> io::Result<Decoding> {
        let track = TrackFileWriter::open(&session.layout().track(), plan.safe, plan.head)?;
        let decoded = Decoded {
            frames: track.frames(),
            complete: false,
            statistics: track.statistics().clone(),
            failure: None,
        };
        let mut child = command(session, config, plan.rate).spawn()?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let shared = Arc::new(Shared {
            session: Arc::clone(session),
            decoded: Mutex::new(decoded),
            child: Mutex::new(child),
            ended: AtomicBool::new(false),
            busy_since: Mutex::new(Some(Instant::now())),
            told: AtomicU64::new(0),
        });
        let mut decoding = Decoding { shared, threads: Vec::new() };
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(io::Error::other("the decoder has no standard streams"));
        };
        let shared = Arc::clone(&decoding.shared);
        decoding.spawn("upload-feed", move || feed(&shared, stdin))?;
        let shared = Arc::clone(&decoding.shared);
        let receiver = Receiver { shared, track, limit: plan.limit, skip: plan.safe };
        decoding.spawn("track-write", move || {
            lower_thread();
            receiver.run(stdout, stderr);
        })?;
        Ok(decoding)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }

    /// How far it is.
    pub(crate) fn decoded(&self) -> Decoded {
        self.shared.decoded().clone()
    }

    /// Ends a child that has had bytes and said nothing for too long.
    pub(crate) fn check_stall(&mut self, limit: Duration) {
        let busy = *self.shared.busy_since();
        if busy.is_some_and(|since| since.elapsed() > limit) {
            let text = "the decoder made no progress on this file; it may be damaged: convert it and \
                        send it again";
            let stall = limit.as_secs();
            self.shared.fail(Failure::new(Reason::DecoderLimit, text).with("limit_seconds", stall));
            // It may have ended by itself at this moment.
            let _ = self.shared.child().kill();
        }
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // It may have ended by itself; then its pipes are closed, and the threads end too.
        let _ = self.shared.child().kill();
        self.shared.session.notifier().notify();
        for thread in self.threads.drain(..) {
            // Its panic would have been printed; the session then fails by the missing end.
            let _ = thread.join();
        }
        let _ = self.shared.child().wait();
    }
}

fn command(session: &Session, config: &DecoderConfig, rate: Hertz) -> Command {
    let mut command = Command::new(&config.program);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, "stemwire");
    command.arg("decode").arg("--upload").arg(session.layout().upload());
    command.args(["--rate", &rate.0.to_string()]);
    command.args(["--memory", &config.memory.to_string()]);
    command.args(["--processor-time", &config.processor_time.as_secs().to_string()]);
    if let Some(raw) = session.manifest().settings.input {
        let encoding = match raw.encoding {
            Encoding::F32Le => "f32le",
            Encoding::S16Le => "s16le",
            Encoding::S24Le => "s24le",
        };
        command.args(["--raw", &format!("{encoding}:{}:{}", raw.rate.0, raw.channels)]);
    }
    // What it says when it crashes is told to the client: one line is enough. Nobody empties that pipe
    // before it ends, so it must not say more.
    command.env("RUST_BACKTRACE", "0").env("STEMWIRE_LOG", "off");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Tells the child how the upload grows, until it is complete or nobody wants more.
fn feed(shared: &Shared, mut stdin: ChildStdin) {
    let session = &shared.session;
    loop {
        let seen = session.notifier().version();
        if shared.ended.load(Ordering::Acquire) {
            return;
        }
        // Read in this order: the length is final once the upload is complete.
        let complete = session.manifest().upload_complete();
        let length = session.uploaded();
        let word = if complete { length | COMPLETE } else { length };
        if shared.told.swap(word, Ordering::AcqRel) != word {
            *shared.busy_since() = Some(Instant::now());
            // The child has ended when it does not listen; its last message says why.
            if stdin.write_all(&word.to_le_bytes()).is_err() || complete {
                return;
            }
        }
        session.notifier().wait_newer(seen, Duration::from_secs(5));
    }
}

impl Shared {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the child ended, whose pipes are closed; `None` where it lives on all the same.
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        for _ in 0..200 {
            if let Ok(Some(status)) = self.child().try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// How far it is.
    pub(super) fn decoded(&self) -> MutexGuard<'_, Decoded> {
        self.decoded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when the child has been busy.
    pub(super) fn busy_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the first failure; what comes after it follows from it.
    pub(super) fn fail(&self, failure: Failure) {
        self.decoded().failure.get_or_insert(failure);
        self.session.notifier().notify();
    }
}
