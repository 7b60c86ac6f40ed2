//! Measures the speed of a model: every worker separates the same segment at the same time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{POOL_ITSELF, Pool, Task};
use crate::audio::Stereo;
use crate::engine::autotune::fixed_segment;
use crate::engine::speed::{MeasuredSpeed, median};
use crate::engine::{EngineError, EngineOptions};
use crate::model::Model;

/// Rounds after the first one, which loads the model and touches memory.
const ROUNDS: usize = 3;

/// No further round begins later than this.
const LONGEST: Duration = Duration::from_secs(30);

/// A benchmark of a model.
#[derive(Debug)]
pub struct Benchmark {
    /// The speed.
    pub speed: MeasuredSpeed,
    /// Whether it could be kept in the cache file.
    pub kept: io::Result<()>,
}

impl Pool {
    /// Measures the speed of `model`, also if it was measured before. Takes two to four times as long as a segment.
    ///
    /// # Errors
    /// All errors of loading and running.
    pub fn benchmark(&self, model: &Arc<Model>) -> Result<Benchmark, EngineError> {
        let card = model.card();
        let mix = fixed_segment(card.segment, card.sample_rate);
        let begun = Instant::now();
        self.round(model, &mix)?;
        let mut times = vec![self.round(model, &mix)?];
        while times.len() < ROUNDS && begun.elapsed() < LONGEST {
            times.push(self.round(model, &mix)?);
        }
        let kept = self.set_speed(model, median(&times));
        // It was set just now.
        let speed = self.speed(model).ok_or(EngineError::ShuttingDown)?;
        Ok(Benchmark { speed, kept })
    }

    /// Separates `mix` once for each worker. Returns the longest time.
    fn round(&self, model: &Arc<Model>, mix: &Stereo) -> Result<Duration, EngineError> {
        let workers = self.lanes();
        let (sender, receiver) = mpsc::sync_channel(workers);
        for _ in 0..workers {
            let sender = sender.clone();
            let task = Task {
                model: Arc::clone(model),
                segment: 0,
                mix: mix.clone(),
                options: EngineOptions::all(model.card()),
                isolated: false,
                engine: None,
                cancelled: Arc::default(),
                on_start: Box::new(|| {}),
                on_done: Box::new(move |result| {
                    // The receiver is gone only if an earlier one has failed.
                    let _ = sender.send(result);
                }),
            };
            self.submit(POOL_ITSELF, task);
        }
        let mut longest = Duration::ZERO;
        for _ in 0..workers {
            let separated = receiver.recv().unwrap_or(Err(EngineError::ShuttingDown))?;
            longest = longest.max(separated.engine_time);
        }
        Ok(longest)
    }
}
