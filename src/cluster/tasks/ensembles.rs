//! Ensembles whose members the workers compute.
//!
//! This process makes the stems of an ensemble from those of its members, with the code of one machine and in its order, so that
//! they have the same bytes. Each segment of a member is a task of its own, for the workers that have its model. The members
//! compute at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::board::TaskBoard;
use crate::audio::Stereo;
use crate::engine::ensemble::{self, MemberOrder};
use crate::engine::pool::{OwnerId, Task, checked, guarded};
use crate::engine::{Engine, EngineError, EngineIdentity, EngineOptions, SeparatedSegment};
use crate::model::Model;

/// A thread for each segment of an ensemble that has no stems yet. It waits for the workers nearly all of its time.
#[derive(Default)]
pub(super) struct EnsembleThreads(Mutex<Vec<JoinHandle<()>>>);

impl EnsembleThreads {
    /// Begins a task of an ensemble.
    pub(super) fn begin(&self, board: &Arc<TaskBoard>, owner: OwnerId, task: Task) {
        let (sender, receiver) = mpsc::sync_channel::<Task>(1);
        let (board, span) = (Arc::clone(board), tracing::Span::current());
        let work = move || {
            let Ok(task) = receiver.recv() else { return };
            span.in_scope(|| compute(&board, owner, task));
        };
        match Builder::new().name("ensemble".into()).spawn(work) {
            Ok(thread) => {
                let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                threads.retain(|thread| !thread.is_finished());
                threads.push(thread);
                // The thread receives one task and lives until then.
                let _ = sender.send(task);
            }
            Err(error) => {
                let (model, reason) = (task.model.card().name.to_string(), error.to_string());
                (task.on_done)(Err(EngineError::SystemLimit { model, reason }));
            }
        }
    }

    /// Waits for all threads. The board must be closed.
    pub(super) fn join(&self) {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // It catches the panics of its engine; its own would have been printed.
            let _ = thread.join();
        }
    }
}

fn compute(board: &Arc<TaskBoard>, owner: OwnerId, task: Task) {
    let Task { model, segment, mix, options, isolated, engine, cancelled, on_done, .. } = task;
    let lacks = |model: &Model| EngineError::SystemLimit {
        model: model.card().name.to_string(),
        reason: "no worker has it".to_owned(),
    };
    let engine_time = Arc::new(Mutex::new(Duration::ZERO));
    let first = || board.workers().engines(&model).into_iter().next();
    let result = engine.or_else(first).ok_or_else(|| lacks(&model)).and_then(|of| {
        let load = |member: &Arc<Model>| {
            let engine = board.workers().member_engine(member, &of);
            Ok(Box::new(MemberEngine {
                board: Arc::clone(board),
                owner,
                segment,
                model: Arc::clone(member),
                engine: engine.ok_or_else(|| lacks(member))?,
                isolated,
                cancelled: Arc::clone(&cancelled),
                engine_time: Arc::clone(&engine_time),
            }) as Box<dyn Engine>)
        };
        guarded(&model, || {
            let loaded = ensemble::load(&model, MemberOrder::AtOnce, load)?;
            let mut engine = loaded.ok_or_else(|| lacks(&model))?;
            let stems = engine.separate(&mix, &options)?;
            checked(stems, mix.len(), model.card())
        })
    });
    let engine_time = *engine_time.lock().unwrap_or_else(PoisonError::into_inner);
    on_done(result.map(|stems| SeparatedSegment { stems, engine_time }));
}

/// A member of an ensemble, whose segments are tasks of their own.
struct MemberEngine {
    board: Arc<TaskBoard>,
    owner: OwnerId,
    /// The ensemble's segment, of which these are parts. The tasks differ in their epoch.
    segment: u64,
    model: Arc<Model>,
    engine: EngineIdentity,
    isolated: bool,
    cancelled: Arc<AtomicBool>,
    /// That of all members together.
    engine_time: Arc<Mutex<Duration>>,
}

impl Engine for MemberEngine {
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(EngineError::Cancelled);
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = Task {
            model: Arc::clone(&self.model),
            segment: self.segment,
            mix: mix.clone(),
            options: options.clone(),
            isolated: self.isolated,
            engine: Some(self.engine.clone()),
            cancelled: Arc::clone(&self.cancelled),
            on_start: Box::new(|| {}),
            // The receiver is gone only if this thread has panicked.
            on_done: Box::new(move |result| drop(sender.send(result))),
        };
        self.board.submit(self.owner, task);
        let SeparatedSegment { stems, engine_time } =
            receiver.recv().unwrap_or(Err(EngineError::ShuttingDown))?;
        *self.engine_time.lock().unwrap_or_else(PoisonError::into_inner) += engine_time;
        Ok(stems)
    }
}
