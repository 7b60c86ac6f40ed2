//! Separations with fake engines, within limits that a test sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stemwire::engine::Chain;
use stemwire::engine::fallback::circuit_breaker::CircuitBreakerConfig;
use stemwire::engine::limits::TimeLimits;
use stemwire::engine::pool::{Pool, PoolConfig};
use stemwire::model::AvailableModels;
use stemwire::separation::{DecoderConfig, Limits, Separations};

use super::fake_engine::{FakeEngines, FakeLoader};
use super::pipeline::{self, DECODER, open_within, runtime};

pub use super::fake_engine::{Death, FakeEngine, Fault};

/// Time limit of engines in tests without one of their own.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fake engines for all models, and the limits of the separations that use them.
#[derive(Clone, Default)]
pub struct TestEnvironment {
    engines: Arc<FakeEngines>,
    patience: Option<Duration>,
    limits: Option<Limits>,
    ffmpeg: Option<PathBuf>,
}

impl TestEnvironment {
    pub fn new(scripts: &[(&str, FakeEngine)]) -> TestEnvironment {
        let stage = TestEnvironment::default();
        scripts.iter().for_each(|(model, script)| stage.set(model, *script));
        stage
    }

    /// With this time limit of engines; the default is too long for any test.
    pub fn with_time_limit(mut self, patience: Duration) -> TestEnvironment {
        self.patience = Some(patience);
        self
    }

    /// The number of segments that were computed in isolation.
    pub fn isolated(&self) -> usize {
        self.engines.isolated()
    }

    /// With other limits than the default ones.
    pub fn within(mut self, limits: Limits) -> TestEnvironment {
        self.limits = Some(limits);
        self
    }

    /// With this FFmpeg for what the decoder does not support.
    pub fn with_ffmpeg(mut self, program: Option<PathBuf>) -> TestEnvironment {
        self.ffmpeg = program;
        self
    }

    /// Sets the behaviour of a model and resets its count of calls.
    pub fn set(&self, model: &str, script: FakeEngine) {
        self.engines.set(model, script);
    }

    /// Number of calls of a model's engines.
    pub fn calls(&self, model: &str) -> usize {
        self.engines.calls(model)
    }

    /// Releases all hanging engines.
    pub fn release(&self) {
        self.engines.release();
    }

    /// Separations in `data` with the models in `models`, tried in the order `engines`, by these engines.
    pub fn separations(&self, data: &Path, models: &Path, engines: &[&str]) -> Separations {
        self.separations_by(Path::new(DECODER), data, models, engines)
    }

    /// The same with another decoder configuration.
    pub fn separations_by(
        &self,
        decoder: &Path,
        data: &Path,
        models: &Path,
        engines: &[&str],
    ) -> Separations {
        self.open(self.pool(), decoder, data, models, engines)
    }

    /// The same with what another pool computes.
    pub fn open(
        &self,
        pool: Pool,
        decoder: &Path,
        data: &Path,
        models: &Path,
        engines: &[&str],
    ) -> Separations {
        let available = AvailableModels::open(Some(models));
        assert!(available.faults().is_empty(), "{:?}", available.faults());
        let engines: Vec<String> = engines.iter().map(|&name| name.to_owned()).collect();
        let breakers = CircuitBreakerConfig { failures: 4, probe: Duration::from_millis(100) };
        let chain = Chain::of(&engines, &available).unwrap().with_circuit_breakers(breakers);
        let limits = self.limits.unwrap_or_else(pipeline::limits);
        let decoder = DecoderConfig { ffmpeg: self.ffmpeg.clone(), ..pipeline::decoder(decoder) };
        open_within(limits, decoder, data, pool, available, chain)
    }

    /// Worker threads with these engines.
    pub fn pool(&self) -> Pool {
        let limits = TimeLimits {
            factor: 2,
            minimum: self.patience.unwrap_or(PATIENCE),
            load: Duration::from_secs(60),
            grace: Duration::from_millis(300),
        };
        let config = PoolConfig { limits, ..PoolConfig::for_threads(1) };
        let loader =
            Box::new(FakeLoader { engines: Arc::clone(&self.engines), runtime: runtime() });
        Pool::with_loader(config, runtime(), loader).unwrap()
    }
}

/// A folder with models that consist of cards only: name, stems, frames of a segment.
pub fn cards(folder: &Path, models: &[(&str, &str, usize)]) {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mini/card.toml");
    let mini: toml::Table = fs::read_to_string(mini).unwrap().parse().unwrap();
    for (name, stems, segment) in models {
        let mut card = mini.clone();
        card.remove("residual_shares");
        card.insert("name".into(), (*name).into());
        card.insert("stems".into(), stems.split(' ').collect::<Vec<_>>().into());
        card.insert("segment".into(), i64::try_from(*segment).unwrap().into());
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("card.toml"), card.to_string()).unwrap();
    }
}
