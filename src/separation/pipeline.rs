//! One session's way from its upload to its stems.
//!
//! A thread of its own runs [`run`] for each open session. It hands segments to the workers as soon as
//! their frames are decoded, takes the answers in order, and commits each before it goes on:
//! stems, then the carry, then the manifest that names both. Whatever happens between two commits, the
//! next server goes on from the last one and gives the same bytes.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::carry::Carry;
use super::decoding::parent::{Decoded, DecodingPlan};
use super::decoding::{DecoderConfig, Decoding};
use super::normalization::Level;
use super::stems::{Pick, StemFiles, StemRecord, needs_mix, pick, picks, wanted};
use super::track::TrackReader;
use crate::audio::{Frames, Stereo};
use crate::dsp::{OverlapAdd, Segment, Segmentation};
use crate::engine::pool::{Job, Pool};
use crate::engine::{Answer, EngineError, Identity, Model, Options};
use crate::session::manifest::{Engine, EngineChange};
use crate::session::settings::Normalization;
use crate::session::{Failure, Reason, Session, State, Stop};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// The stems are complete.
    Done,
    /// It was asked to.
    Stopped(Stop),
    /// The session had been ended meanwhile: its upload was refused.
    Ended,
    /// It cannot go on.
    Failed(Failure),
}

/// What every run needs.
pub(super) struct Context {
    pub(super) pool: Pool,
    pub(super) decoder: DecoderConfig,
    /// The longest track that is taken.
    pub(super) max_track: Duration,
}

/// How long to sleep when nothing tells of a change: stalls of the decoder are seen that often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Runs a session until it is done, fails, or is asked to stop.
pub(super) fn run(session: &Arc<Session>, model: &Arc<Model>, context: &Context) -> Outcome {
    let result = Run::open(session, model, context).and_then(|mut run| run.work());
    // Jobs that nobody waits for any more must not keep a worker.
    context.pool.remove(session.id().as_u128());
    match result {
        Ok(outcome) => outcome,
        Err(failure) => Outcome::Failed(failure),
    }
}

struct Run<'a> {
    session: &'a Arc<Session>,
    model: &'a Arc<Model>,
    context: &'a Context,
    decoding: Decoding,
    track: TrackReader,
    windows: Segmentation,
    weights: Vec<f32>,
    picks: Vec<Pick>,
    options: Options,
    overlap: OverlapAdd,
    /// Opened with the first answer, when the stems' rate is known.
    files: Option<StemFiles>,
    /// What the resamplers have to see again, until the files are open.
    tails: Vec<Stereo>,
    /// The next segment to be committed.
    next: u64,
    flight: Flight,
}

/// Segments that are with the workers.
struct Flight {
    /// The next segment to be handed out.
    next: u64,
    /// What each was made of, until it is committed.
    sent: BTreeMap<u64, Sent>,
    answers: Arc<Mutex<BTreeMap<u64, Result<Answer, EngineError>>>>,
    cancelled: Arc<AtomicBool>,
}

struct Sent {
    segment: Segment,
    level: Level,
    retried: bool,
}

impl<'a> Run<'a> {
    fn open(
        session: &'a Arc<Session>,
        model: &'a Arc<Model>,
        context: &'a Context,
    ) -> Result<Run<'a>, Failure> {
        let manifest = session.manifest();
        let card = model.card();
        let accompaniment = manifest.settings.accompaniment;
        let picks = picks(&manifest.plan.stems, &card.stems, accompaniment).ok_or_else(|| {
            let text = format!("model {} no longer yields the session's stems", card.name);
            Failure::new(Reason::ModelUnavailable, text)
        })?;
        if manifest.plan.segment != card.segment {
            let text = format!(
                "model {} sees {} frames at once now, but the session was begun with {}; send the \
                 song again",
                card.name, card.segment, manifest.plan.segment
            );
            return Err(Failure::new(Reason::ModelUnavailable, text));
        }
        let windows = card.segmentation(manifest.plan.overlap);
        let blend = windows.blend();
        let commit = &manifest.commit;
        let carry = if commit.carry {
            let path = session.layout().carry(commit.segments);
            Carry::read(&path, blend).map_err(|error| Failure::of_storage(&error))?
        } else {
            Carry { overlap: OverlapAdd::new(picks.len(), Frames::ZERO, blend), tails: Vec::new() }
        };
        identify(
            session,
            &model.identity(context.pool.runtime(), context.pool.config().threads_per_worker),
        )?;
        let plan = DecodingPlan {
            rate: card.sample_rate,
            head: card.segment,
            safe: commit.track,
            limit: Frames::covering(context.max_track, card.sample_rate),
        };
        let decoding = Decoding::start(session, &context.decoder, plan).map_err(|error| {
            Failure::new(Reason::Internal, format!("the decoder could not be started: {error}"))
        })?;
        Ok(Run {
            track: TrackReader::open(&session.layout().track())
                .map_err(|error| Failure::of_storage(&error))?,
            session,
            model,
            context,
            decoding,
            windows,
            weights: windows.weights(),
            options: Options {
                wanted: wanted(&picks, card.stems.len()),
                mask_extension: manifest.settings.mask_extension,
            },
            picks,
            overlap: carry.overlap,
            files: None,
            tails: carry.tails,
            next: commit.segments,
            flight: Flight {
                next: commit.segments,
                sent: BTreeMap::new(),
                answers: Arc::default(),
                cancelled: Arc::default(),
            },
        })
    }

    fn work(&mut self) -> Result<Outcome, Failure> {
        loop {
            let seen = self.session.signal().version();
            if let Some(stop) = self.session.stop_requested() {
                return Ok(Outcome::Stopped(stop));
            }
            if self.session.state().is_ended() {
                return Ok(Outcome::Ended);
            }
            let decoded = self.decoding.decoded();
            if let Some(failure) = decoded.failure {
                return Err(failure);
            }
            self.send(&decoded)?;
            if let Some(answer) = self.take_answer() {
                match self.judge(answer)? {
                    Some(answer) => self.commit(answer, &decoded)?,
                    None => continue,
                }
            } else if decoded.complete && self.next >= self.windows.count(decoded.frames) {
                self.finish()?;
                return Ok(Outcome::Done);
            } else {
                self.decoding.check_stall(self.context.decoder.stall);
                self.session.signal().wait_newer(seen, LOOK_AGAIN);
            }
        }
    }

    /// Hands out segments whose frames are there, as many as keep the workers busy.
    fn send(&mut self, decoded: &Decoded) -> Result<(), Failure> {
        let normalised = self.model.card().family.is_normalised();
        let exact =
            normalised && self.session.manifest().settings.normalization == Normalization::Exact;
        if exact && !decoded.complete {
            return Ok(());
        }
        // One more than there are workers, so that none waits while an answer is committed.
        let depth = self.context.pool.config().workers as u64 + 1;
        while self.flight.next < self.next + depth {
            let index = self.flight.next;
            let Some(segment) = self.windows.segment(index, decoded.frames, decoded.complete)
            else {
                break;
            };
            let level = if exact {
                Level::exact(&decoded.statistics)
            } else if normalised {
                Level::streaming(&decoded.statistics)
            } else {
                Level::Unchanged
            };
            self.flight.next += 1;
            self.submit(Sent { segment, level, retried: false })?;
        }
        Ok(())
    }

    fn submit(&mut self, sent: Sent) -> Result<(), Failure> {
        let index = sent.segment.index;
        let shown = self.track.read(sent.segment.shown.clone()).map_err(storage)?;
        let length = self.windows.length().as_len();
        let mix = sent.level.input(&sent.segment, shown, length);
        self.flight.sent.insert(index, sent);
        let answers = Arc::clone(&self.flight.answers);
        let session = Arc::clone(self.session);
        let job = Job {
            model: Arc::clone(self.model),
            mix,
            options: self.options.clone(),
            cancelled: Arc::clone(&self.flight.cancelled),
            done: Box::new(move |result| {
                answers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
                session.signal().notify();
            }),
        };
        self.context.pool.submit(self.session.id().as_u128(), job);
        Ok(())
    }

    fn take_answer(&mut self) -> Option<Result<Answer, EngineError>> {
        self.flight.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.next)
    }

    /// An answer that counts, or `None` where the segment has been sent again.
    fn judge(&mut self, answer: Result<Answer, EngineError>) -> Result<Option<Answer>, Failure> {
        let error = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        let reason = match &error {
            EngineError::Cancelled | EngineError::ShuttingDown => {
                self.session.request_stop(Stop::Shutdown);
                return Ok(None);
            }
            EngineError::Run { .. }
            | EngineError::NotFinite { .. }
            | EngineError::Panicked { .. } => Reason::EngineFailed,
            EngineError::UnknownModel { .. }
            | EngineError::NotInstalled { .. }
            | EngineError::NoModelForStems { .. }
            | EngineError::Card { .. }
            | EngineError::File { .. }
            | EngineError::Hash { .. }
            | EngineError::Load { .. } => Reason::ModelUnavailable,
        };
        let sent = self.flight.sent.remove(&self.next);
        match sent.filter(|sent| !sent.retried && reason == Reason::EngineFailed) {
            Some(sent) => {
                tracing::warn!(session = %self.session.id(), %error, "trying the segment again");
                self.submit(Sent { retried: true, ..sent })?;
                Ok(None)
            }
            None => Err(Failure::new(reason, error.to_string()).with("segment", self.next)),
        }
    }

    /// Adds an answer to the stems and makes the result safe.
    fn commit(&mut self, answer: Answer, decoded: &Decoded) -> Result<(), Failure> {
        let Some(Sent { segment, level, .. }) = self.flight.sent.remove(&self.next) else {
            return Err(Failure::new(Reason::Internal, "an answer came that nobody asked for"));
        };
        let stems: Vec<Stereo> =
            answer.stems.iter().map(|stem| level.output(&segment, stem)).collect();
        let mix = if needs_mix(&self.picks) {
            self.track.read(segment.span.clone()).map_err(storage)?
        } else {
            Stereo::new()
        };
        let stems = pick(&self.picks, &stems, &mix);
        let consumed = self.overlap.position();
        self.overlap.add(Frames(segment.span.start), &self.weights, &stems);
        let finals = self.overlap.take_final(self.windows.start(self.next + 1));
        let files = self.open_files(consumed)?;
        let frames = files.append(&finals).map_err(storage)?;
        files.sync().map_err(storage)?;
        let (tails, records) = (files.tails(), files.records());
        self.track.sync().map_err(storage)?;
        self.next += 1;
        let carry = Carry { overlap: self.overlap.clone(), tails };
        let layout = self.session.layout();
        carry.write(&layout.carry(self.next)).map_err(storage)?;
        self.session
            .update(|manifest| {
                manifest.commit.segments = self.next;
                manifest.commit.stems = frames;
                manifest.commit.track = decoded.frames;
                manifest.commit.carry = true;
                manifest.recoveries = 0;
                keep(&mut manifest.stems, &records);
            })
            .map_err(storage)?;
        // A leftover is removed with the session's other scratch files.
        let _ = std::fs::remove_file(layout.carry(self.next - 1));
        Ok(())
    }

    /// Gives the stems their last frames, sizes and names.
    fn finish(&mut self) -> Result<(), Failure> {
        let total = self.session.manifest().total.unwrap_or_default();
        let consumed = self.overlap.position();
        self.open_files(consumed)?;
        let Some(mut files) = self.files.take() else { return Ok(()) };
        let finals = self.overlap.take_final(Frames(u64::MAX));
        files.append(&finals).map_err(storage)?;
        let frames = files.end(total).map_err(storage)?;
        let records = files.publish().map_err(storage)?;
        self.session
            .update(|manifest| {
                manifest.state = State::Done;
                manifest.total = Some(frames);
                manifest.commit.stems = frames;
                manifest.commit.carry = false;
                keep(&mut manifest.stems, &records);
            })
            .map_err(storage)?;
        self.session.remove_scratch();
        Ok(())
    }

    /// The stems' files, which hold what `consumed` frames of the model's have given.
    fn open_files(&mut self, consumed: Frames) -> Result<&mut StemFiles, Failure> {
        if self.files.is_none() {
            let manifest = self.session.manifest();
            let rate = manifest.source.as_ref().map(|source| source.output_rate);
            let rate = rate.unwrap_or(manifest.plan.model_rate);
            let layout = self.session.layout();
            let files = StemFiles::open(layout, &manifest, rate, consumed, &self.tails);
            self.files = Some(files.map_err(storage)?);
        }
        self.files.as_mut().ok_or_else(|| Failure::new(Reason::Internal, "no stem is open"))
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.flight.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Pins what computes; tells where another server computed before.
fn identify(session: &Session, identity: &Identity) -> Result<(), Failure> {
    let engine = Engine {
        model: identity.model.to_string(),
        weights: identity.weights.to_string(),
        verified: identity.verified,
        provider: identity.provider.clone(),
        runtime: identity.runtime.clone(),
        threads: u32::try_from(identity.threads).unwrap_or(u32::MAX),
        precision: identity.precision.clone(),
    };
    let manifest = session.manifest();
    if manifest.engine.as_ref() == Some(&engine) {
        return Ok(());
    }
    session
        .update(|manifest| {
            if !engine.verified {
                let text = format!(
                    "nobody vouches for the weights of {} (SHA-256 {}): they are not verified",
                    engine.model, engine.weights
                );
                if !manifest.notices.contains(&text) {
                    manifest.notices.push(text);
                }
            }
            let before = manifest.engine.replace(engine.clone());
            let Some(from) = before.filter(|_| manifest.commit.segments > 0) else { return };
            let (reason, message) = if from.weights == engine.weights {
                (
                    "SERVER_RESTARTED",
                    "the server was started again with another library or number of threads; the \
                     rest may differ in the last bits",
                )
            } else {
                ("MODEL_REPLACED", "the model's weights were replaced; the rest sounds as they do")
            };
            manifest.engine_changes.push(EngineChange {
                from,
                to: engine,
                frame: manifest.commit.stems,
                reason: reason.into(),
                message: message.into(),
            });
        })
        .map_err(storage)
}

fn keep(stems: &mut [crate::session::manifest::Stem], records: &[StemRecord]) {
    for (stem, record) in stems.iter_mut().zip(records) {
        stem.peak = record.peak;
        stem.sha256.clone_from(&record.sha256);
    }
}

fn storage(error: io::Error) -> Failure {
    Failure::of_storage(&error)
}
