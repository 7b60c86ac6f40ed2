//! An engine that is asked to stop does so, from the moment from which the pool can ask it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use stemwire::audio::Stereo;
use stemwire::engine::limits::TimeLimits;
use stemwire::engine::pool::{Pool, PoolConfig, Task};
use stemwire::engine::{
    Engine, EngineError, EngineOptions, Loader, Runtime, SeparatedSegment, Stopper,
};
use stemwire::model::{AvailableModels, Model};

use crate::support::golden::{WEIGHTS, model_of};
use crate::support::pipeline::runtime;

/// One model of each kind of engine; a bag among them, whose specialists run one after the other.
fn check_all(check: impl Fn(&Arc<Model>)) {
    let root = tempfile::tempdir().unwrap();
    let specialists: [(&str, Option<&str>, &[u8]); 4] = [
        ("d", Some("drums"), WEIGHTS),
        ("b", Some("bass"), WEIGHTS),
        ("o", Some("other"), WEIGHTS),
        ("v", Some("vocals"), WEIGHTS),
    ];
    check(&model_of(root.path(), "bag", &specialists));
    let available = AvailableModels::open(None);
    for name in ["mini", "mini-spleeter"] {
        check(&available.find(name).unwrap());
    }
}

fn segment(model: &Model) -> Stereo {
    Stereo::zeros(model.card().segment.as_len())
}

#[test]
fn a_stop_before_the_graph_runs_counts_and_is_forgotten_with_its_segment() {
    check_all(|model| {
        let options = EngineOptions::all(model.card());
        let mut engine = runtime().load(model, 1).unwrap();
        engine.prepare(&options).unwrap();
        let stop = engine.stopper().unwrap();
        stop();
        let stopped = engine.separate(&segment(model), &options);
        assert!(matches!(stopped, Err(EngineError::Run { .. })), "{}", model.card().name);
        engine.stopper().unwrap();
        engine.separate(&segment(model), &options).unwrap();
    });
}

/// Loads engines that compute only once they have been asked to stop.
struct Late {
    runtime: Runtime,
    begun: SyncSender<()>,
}

struct LateEngine {
    real: Box<dyn Engine>,
    begun: SyncSender<()>,
    asked: Option<Receiver<()>>,
}

impl Loader for Late {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        let real = self.runtime.load(model, threads)?;
        Ok(Box::new(LateEngine { real, begun: self.begun.clone(), asked: None }))
    }
}

impl Engine for LateEngine {
    fn prepare(&mut self, options: &EngineOptions) -> Result<(), EngineError> {
        self.real.prepare(options)
    }

    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        self.begun.send(()).unwrap();
        self.asked.take().unwrap().recv().unwrap();
        self.real.separate(mix, options)
    }

    fn stopper(&mut self) -> Option<Stopper> {
        let stop = self.real.stopper()?;
        let (started, asked) = sync_channel(1);
        self.asked = Some(asked);
        Some(Arc::new(move || {
            stop();
            started.send(()).unwrap();
        }))
    }
}

/// The result of a segment whose engine is asked to stop before it computes: because of these limits, or, with
/// `leave`, because the pool shuts down.
fn asked_early(
    model: &Arc<Model>,
    minimum: Duration,
    leave: bool,
) -> Result<SeparatedSegment, EngineError> {
    let grace = Duration::from_secs(300);
    let limits = TimeLimits { factor: 0, minimum, grace, ..TimeLimits::default() };
    let (begun, begins) = sync_channel(1);
    let loader = Box::new(Late { runtime: runtime(), begun });
    let config = PoolConfig { limits, ..PoolConfig::for_threads(1) };
    let pool = Pool::with_loader(config, runtime(), loader).unwrap();
    let (sender, receiver) = sync_channel(1);
    let task = Task {
        model: Arc::clone(model),
        segment: 0,
        mix: segment(model),
        options: EngineOptions::all(model.card()),
        isolated: false,
        engine: None,
        cancelled: Arc::default(),
        on_start: Box::new(|| {}),
        on_done: Box::new(move |result| sender.send(result).unwrap()),
    };
    pool.submit(1, task);
    begins.recv().unwrap();
    if leave {
        drop(pool);
    }
    receiver.recv().unwrap()
}

#[test]
fn a_deadline_and_an_end_that_come_before_the_graph_runs_are_kept() {
    check_all(|model| {
        let late = asked_early(model, Duration::from_millis(1), false);
        assert!(matches!(late, Err(EngineError::TimedOut { .. })), "{}", model.card().name);
        let ended = asked_early(model, Duration::from_secs(600), true);
        assert!(matches!(ended, Err(EngineError::ShuttingDown)), "{}", model.card().name);
    });
}
