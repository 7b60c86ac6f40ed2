//! Segments that are with the workers.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::audio::Stereo;
use crate::dsp::Segment;
use crate::engine::pool::{Pool, Task};
use crate::engine::{EngineError, SeparatedSegment};
use crate::separation::normalization::Level;
use crate::separation::pipeline::active_engine::ActiveEngine;
use crate::session::Session;

/// What one engine has been given of a session. Dropping it calls off what has not begun; what comes of the
/// rest goes nowhere.
pub(super) struct InFlight {
    next: u64,
    /// What each was made of, until its answer is taken.
    sent: BTreeMap<u64, Sent>,
    answers: Arc<Mutex<BTreeMap<u64, Result<SeparatedSegment, EngineError>>>>,
    cancelled: Arc<AtomicBool>,
}

/// A segment as it was handed out.
pub(super) struct Sent {
    pub(super) segment: Segment,
    pub(super) level: Level,
    pub(super) retried: bool,
    /// It is silence, which no engine was shown.
    pub(super) silent: bool,
}

impl InFlight {
    /// Nothing yet; `next` is handed out first.
    pub(super) fn from(next: u64) -> InFlight {
        let (answers, cancelled) = (Arc::default(), Arc::default());
        InFlight { next, sent: BTreeMap::new(), answers, cancelled }
    }

    /// The next segment to be handed out.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Hands out a segment, `mix` being what the engine is shown of it.
    pub(super) fn submit(
        &mut self,
        sent: Sent,
        mix: Stereo,
        engine: &ActiveEngine,
        session: &Arc<Session>,
        pool: &Pool,
    ) {
        let index = sent.segment.index;
        self.next = self.next.max(index + 1);
        self.sent.insert(index, sent);
        let answers = Arc::clone(&self.answers);
        let mark = session.layout().computing(index);
        let notified = Arc::clone(session);
        let task = Task {
            model: Arc::clone(engine.model()),
            mix,
            options: engine.options().clone(),
            cancelled: Arc::clone(&self.cancelled),
            on_start: {
                let mark = mark.clone();
                // Without it nobody would know which segment killed the process, if one does.
                Box::new(move || drop(fs::write(mark, [])))
            },
            on_done: Box::new(move |result| {
                // It is not there where the task has not begun.
                let _ = fs::remove_file(mark);
                answers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
                notified.notifier().notify();
            }),
        };
        pool.submit(session.id().as_u128(), task);
    }

    /// Answers a segment of silence with `stems` of silence, without an engine.
    pub(super) fn skip(&mut self, sent: Sent, stems: Vec<Stereo>) {
        let index = sent.segment.index;
        self.next = self.next.max(index + 1);
        self.sent.insert(index, sent);
        let answer = SeparatedSegment { stems, engine_time: Duration::ZERO };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(index, Ok(answer));
    }

    /// What has come of a segment, if it has.
    pub(super) fn take(
        &mut self,
        index: u64,
    ) -> Option<(Sent, Result<SeparatedSegment, EngineError>)> {
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&index)?;
        Some((self.sent.remove(&index)?, answer))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
