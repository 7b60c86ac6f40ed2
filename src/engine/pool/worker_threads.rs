//! The worker threads of this process, as a [`Dispatcher`].

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::local_dispatcher::LocalDispatcher;
use super::{Dispatcher, OwnerId, Task};
use crate::engine::pool::{watchdog, worker};
use crate::engine::{EngineError, EngineIdentity};
use crate::model::{Model, ModelName};

/// Worker threads and their watchdog. Dropping it requests running tasks to stop, answers queued ones with
/// [`EngineError::ShuttingDown`], and joins the threads.
pub(super) struct WorkerThreads {
    local: Arc<LocalDispatcher>,
    watchdog: Option<JoinHandle<()>>,
}

impl WorkerThreads {
    /// Starts them.
    ///
    /// # Errors
    /// The system's error when no thread can be started.
    pub(super) fn start(local: LocalDispatcher) -> io::Result<WorkerThreads> {
        let workers = local.config().workers;
        let mut threads = WorkerThreads { local: Arc::new(local), watchdog: None };
        for _ in 0..workers {
            worker::spawn(&threads.local)?;
        }
        let local = Arc::clone(&threads.local);
        let watchdog = std::thread::Builder::new().name("watchdog".into());
        threads.watchdog = Some(watchdog.spawn(move || watchdog::run(&local))?);
        Ok(threads)
    }
}

impl Dispatcher for WorkerThreads {
    fn submit(&self, owner: OwnerId, task: Task) {
        if let Some(task) = self.local.push(owner, task) {
            (task.on_done)(Err(EngineError::ShuttingDown));
        }
    }

    fn remove(&self, owner: OwnerId) {
        for task in self.local.remove(owner) {
            (task.on_done)(Err(EngineError::Cancelled));
        }
    }

    fn has_abandoned_worker(&self, model: &ModelName) -> bool {
        self.local.has_abandoned_worker(model)
    }

    fn lanes(&self) -> usize {
        self.local.config().workers
    }

    fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
        vec![self.local.identity(model)]
    }

    fn absent(&self, model: &Model, engine: Option<&EngineIdentity>) -> Duration {
        // What this process does not have will not come.
        match engine {
            Some(engine) if *engine != self.local.identity(model) => Duration::MAX,
            _ => Duration::ZERO,
        }
    }
}

impl Drop for WorkerThreads {
    fn drop(&mut self) {
        for task in self.local.close() {
            (task.on_done)(Err(EngineError::ShuttingDown));
        }
        if let Some(watchdog) = self.watchdog.take() {
            // It ends when nothing is running; its panic would have been printed.
            let _ = watchdog.join();
        }
        for worker in self.local.take_workers() {
            // A worker catches the panics of its engines; its own would have been printed.
            let _ = worker.join();
        }
    }
}
