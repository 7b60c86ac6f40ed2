//! What starts a decoder, tells it how the upload grows, takes its PCM and watches it.

use std::io::{self, BufReader, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::DecoderConfig;
use super::crash::crash;
use super::protocol::{COMPLETE, End, Message};
use crate::audio::{Encoding, Frames, Hertz, Stereo};
use crate::separation::track::{Statistics, TrackWriter};
use crate::session::manifest::Source;
use crate::session::settings::OutputRate;
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

struct Shared {
    session: Arc<Session>,
    decoded: Mutex<Decoded>,
    child: Mutex<Child>,
    /// Set when nobody wants more.
    ended: AtomicBool,
    /// Since when the child has had bytes and said nothing; `None` while it waits for bytes.
    busy_since: Mutex<Option<Instant>>,
    /// The last word that the child was told.
    told: AtomicU64,
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
        let track = TrackWriter::open(&session.layout().track(), plan.safe, plan.head)?;
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
        decoding.spawn("track-write", move || receiver.run(stdout, stderr))?;
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
        self.shared.session.signal().notify();
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
        let seen = session.signal().version();
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
        session.signal().wait_newer(seen, Duration::from_secs(5));
    }
}

/// Takes the child's messages.
struct Receiver {
    shared: Arc<Shared>,
    track: TrackWriter,
    limit: Frames,
    /// Frames that come again and are in the track already.
    skip: Frames,
}

impl Receiver {
    fn run(mut self, stdout: ChildStdout, stderr: ChildStderr) {
        let mut stdout = BufReader::with_capacity(256 * 1024, stdout);
        self.skip = self.skip.min(self.track.frames());
        loop {
            match Message::read(&mut stdout) {
                // A word may be on its way to it: then it does not wait.
                Ok(Some(Message::Waiting(told))) => {
                    if self.shared.told.load(Ordering::Acquire) == told {
                        *self.shared.busy_since() = None;
                    }
                }
                Ok(Some(message)) => {
                    let more = self.take(message);
                    *self.shared.busy_since() = more.then(Instant::now);
                    if !more {
                        break;
                    }
                }
                Ok(None) | Err(_) => {
                    let how = self.shared.exit_status();
                    self.shared.fail(crash(stderr, how));
                    break;
                }
            }
        }
    }

    /// Takes a message; answers whether more may come.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Waiting(_) => return true,
            Message::Source(source) => return self.take_source(source),
            Message::Pcm(bytes) => return self.take_pcm(&bytes),
            Message::End(end) => self.take_end(end),
            Message::Failed(failure) => self.shared.fail(failure),
        }
        false
    }

    fn take_source(&mut self, mut source: Source) -> bool {
        let session = &self.shared.session;
        if session.manifest().settings.rate == OutputRate::Source {
            source.output_rate = source.rate;
        }
        // Known again after a restart, and its length is then known better.
        let known = session.manifest().source.is_some();
        let written =
            if known { Ok(()) } else { session.update(|manifest| manifest.source = Some(source)) };
        self.stored(written)
    }

    fn take_pcm(&mut self, bytes: &[u8]) -> bool {
        let samples: Vec<f32> = Encoding::F32Le.read(bytes).collect();
        let mut audio = Stereo::from_interleaved(&samples);
        let skipped = audio.take_front(self.skip.as_len().min(audio.len()));
        self.skip = self.skip - skipped.frames();
        let room = self.limit.saturating_sub(self.track.frames());
        let too_long = audio.frames() > room;
        if too_long {
            audio.resize(room.as_len());
        }
        if !audio.is_empty() {
            let written = self.track.append(&audio);
            if !self.stored(written) {
                return false;
            }
            self.publish(false);
        }
        if too_long {
            self.reach_limit();
        }
        !too_long
    }

    /// A live source ends well at the limit; a file that is longer is refused.
    fn reach_limit(&mut self) {
        let session = &self.shared.session;
        let manifest = session.manifest();
        let rate = manifest.plan.model_rate;
        let seconds = self.limit.duration(rate).as_secs();
        if manifest.settings.input.is_none() {
            let text = format!("the track is longer than the limit of {seconds} s; cut it");
            self.shared
                .fail(Failure::new(Reason::TrackTooLong, text).with("limit_seconds", seconds));
            return;
        }
        let source_rate = manifest.source.as_ref().map_or(rate, |source| source.rate);
        let frames = self.limit.resampled(rate, source_rate);
        self.take_end(End {
            source_frames: frames,
            notices: vec![format!("the live source ended at the limit of {seconds} s")],
            ..End::default()
        });
    }

    fn take_end(&mut self, end: End) {
        let track = self.track.frames();
        let written = self.shared.session.update(|manifest| {
            manifest.total = Some(match manifest.settings.rate {
                OutputRate::Model => track,
                OutputRate::Source => end.source_frames,
            });
            if let Some(source) = &mut manifest.source {
                source.frames = Some(end.source_frames);
                source.damaged = end.damaged;
            }
            for notice in end.notices {
                if !manifest.notices.contains(&notice) {
                    manifest.notices.push(notice);
                }
            }
        });
        if self.stored(written) {
            self.publish(true);
        }
    }

    fn publish(&self, complete: bool) {
        let session = &self.shared.session;
        let frames = self.track.frames();
        {
            let mut decoded = self.shared.decoded();
            decoded.frames = frames;
            decoded.statistics.follow(self.track.statistics());
            decoded.complete = complete;
        }
        let manifest = session.manifest();
        let rate = manifest.plan.model_rate;
        let output_rate = manifest.source.as_ref().map_or(rate, |source| source.output_rate);
        session.set_decoded(frames.resampled(rate, output_rate));
    }

    /// Whether writing went well; else the failure is told.
    fn stored(&self, written: io::Result<()>) -> bool {
        written.map_err(|error| self.shared.fail(Failure::of_storage(&error))).is_ok()
    }
}

impl Shared {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the child ended, whose pipes are closed; `None` where it lives on all the same.
    fn exit_status(&self) -> Option<ExitStatus> {
        for _ in 0..200 {
            if let Ok(Some(status)) = self.child().try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    fn decoded(&self) -> MutexGuard<'_, Decoded> {
        self.decoded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn busy_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the first failure; what comes after it follows from it.
    fn fail(&self, failure: Failure) {
        self.decoded().failure.get_or_insert(failure);
        self.session.signal().notify();
    }
}
