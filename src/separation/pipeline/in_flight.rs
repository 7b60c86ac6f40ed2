//! Segments that worker threads compute.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::field::Empty;

use crate::audio::Stereo;
use crate::dsp::Segment;
use crate::engine::pool::{Pool, Task};
use crate::engine::{EngineError, SeparatedSegment};
use crate::separation::pipeline::active_engine::{ActiveEngine, Levels};
use crate::session::Session;
use crate::trace;

/// Segments submitted to one engine. Dropping it cancels those that have not begun and discards the results of the
/// others.
pub(super) struct InFlight {
    next: u64,
    /// The submitted segments whose result has not been taken.
    sent: BTreeMap<u64, Sent>,
    answers: Arc<Mutex<BTreeMap<u64, Result<SeparatedSegment, EngineError>>>>,
    cancelled: Arc<AtomicBool>,
}

/// A submitted segment.
pub(super) struct Sent {
    pub(super) segment: Segment,
    pub(super) levels: Levels,
    pub(super) retried: bool,
    /// Whether it is digital silence, for which no engine runs.
    pub(super) silent: bool,
    /// Whether it is computed in a process of its own.
    pub(super) isolated: bool,
}

impl InFlight {
    /// No segments yet; `next` is the first to submit.
    pub(super) fn from(next: u64) -> InFlight {
        let (answers, cancelled) = (Arc::default(), Arc::default());
        InFlight { next, sent: BTreeMap::new(), answers, cancelled }
    }

    /// The next segment to submit.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether there are no segments whose result has not been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Submits a segment with the input `mix`.
    pub(super) fn submit(
        &mut self,
        sent: Sent,
        mix: Stereo,
        engine: &ActiveEngine,
        session: &Arc<Session>,
        pool: &Pool,
    ) {
        let (index, isolated) = (sent.segment.index, sent.isolated);
        let options = engine.options(&sent.segment, &sent.levels);
        self.next = self.next.max(index + 1);
        self.sent.insert(index, sent);
        let answers = Arc::clone(&self.answers);
        let mark = session.layout().computing(index);
        let notified = Arc::clone(session);
        let span = tracing::info_span!(
            target: trace::TARGET,
            "segment",
            segment = index,
            model = engine.name(),
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let computed = span.clone();
        let task = Task {
            model: Arc::clone(engine.model()),
            segment: index,
            mix,
            options,
            isolated,
            engine: engine.identity().cloned(),
            cancelled: Arc::clone(&self.cancelled),
            on_start: {
                let mark = mark.clone();
                // Names the segment for the next server if the process ends abnormally.
                Box::new(move || drop(fs::write(mark, [])))
            },
            on_done: Box::new(move |result| {
                if let Err(error) = &result {
                    computed.record("otel.status_code", "ERROR");
                    computed.record("otel.status_description", error.to_string());
                }
                drop(computed);
                // It does not exist if the task has not begun.
                let _ = fs::remove_file(mark);
                answers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
                notified.notifier().notify();
            }),
        };
        span.in_scope(|| pool.submit(session.id().as_u128(), task));
    }

    /// Records the silent `stems` of a silent segment, without an engine.
    pub(super) fn skip(&mut self, sent: Sent, stems: Vec<Stereo>) {
        let index = sent.segment.index;
        self.next = self.next.max(index + 1);
        self.sent.insert(index, sent);
        let answer = SeparatedSegment { stems, engine_time: Duration::ZERO };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(index, Ok(answer));
    }

    /// Takes the result of a segment, if there is one.
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
