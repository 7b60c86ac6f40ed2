//! A worker of a cluster whose engine sleeps: what it costs is the transport.
//!
//! `sleeping_worker NATS MODEL MODELS LANES MILLISECONDS` takes the segments of a model as `stemwire worker` does, so many at a
//! time, and returns the mix as every stem after so many milliseconds. The model needs no more than its card in the folder
//! `MODELS`. It prints a line once it takes segments, and ends with its standard input.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stemwire::cluster::tasks::{ClusterWorker, Presence, WorkerAnnouncement, pull_tasks};
use stemwire::cluster::{Nats, NatsLocation};
use stemwire::engine::pool::{Dispatcher, OwnerId, Pool, Task};
use stemwire::engine::{EngineIdentity, Precision, Provider, SeparatedSegment};
use stemwire::model::{AvailableModels, Model, ModelName};
use tokio::sync::watch;

fn main() {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let arguments: Vec<String> = arguments.collect();
    let [nats, model, models, lanes, milliseconds] = &arguments[..] else {
        panic!("sleeping_worker NATS MODEL MODELS LANES MILLISECONDS");
    };
    let model = AvailableModels::open(Some(Path::new(models))).find(model).unwrap();
    let location: NatsLocation = nats.parse().unwrap();
    let nats = Nats::connect(&location, "this worker gets no segments").unwrap();
    let sleeping = Sleeping {
        lanes: lanes.parse().unwrap(),
        time: Duration::from_millis(milliseconds.parse().unwrap()),
    };
    let (name, pool) = (format!("sleeping-{}", std::process::id()), Pool::by(Box::new(sleeping)));
    let worker = Arc::new(ClusterWorker::new(name.clone(), pool, vec![model], None));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let announcement = WorkerAnnouncement::new(&name, worker.lanes(), &worker.engines());
        let presence = Presence::begin(&nats, move || announcement.clone());
        let (stop, stopped) = watch::channel(false);
        std::thread::spawn(move || {
            // It is closed at the latest when the process that has started this one ends.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stop.send(true).unwrap();
        });
        println!("{name}");
        pull_tasks(&nats, worker, stopped).await;
        presence.end().await;
    });
}

/// Threads that sleep.
struct Sleeping {
    lanes: usize,
    time: Duration,
}

impl Dispatcher for Sleeping {
    fn submit(&self, _: OwnerId, task: Task) {
        let engine_time = self.time;
        std::thread::spawn(move || {
            std::thread::sleep(engine_time);
            let stems = vec![task.mix; task.model.card().stems.len()];
            (task.on_done)(Ok(SeparatedSegment { stems, engine_time }));
        });
    }

    fn remove(&self, _: OwnerId) {}

    fn has_abandoned_worker(&self, _: &ModelName) -> bool {
        false
    }

    fn lanes(&self) -> usize {
        self.lanes
    }

    fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
        vec![EngineIdentity {
            model: model.card().name.clone(),
            weights: model.card().weights_hash(),
            verified: model.is_verified(),
            provider: Provider::Cpu,
            runtime: "sleep".to_owned(),
            threads: 1,
            precision: Precision::F32,
        }]
    }

    fn absent(&self, _: &Model, _: Option<&EngineIdentity>) -> Duration {
        Duration::ZERO
    }
}
