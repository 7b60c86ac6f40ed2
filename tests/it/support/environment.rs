//! Fake engines: they compute something simple and fail where they are configured to.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stemwire::audio::Stereo;
use stemwire::engine::fallback::circuit_breaker::CircuitBreakerConfig;
use stemwire::engine::limits::TimeLimits;
use stemwire::engine::pool::{Pool, PoolConfig};
use stemwire::engine::{Chain, Engine, EngineError, EngineOptions, Loader, Runtime, Stopper};
use stemwire::model::{AvailableModels, Model};
use stemwire::separation::{DecoderConfig, Limits, Separations};

use super::pipeline::{self, DECODER, open_within, runtime};

/// Time limit of engines in tests without one of their own.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an engine fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be loaded.
    Load,
    /// It cannot be loaded for lack of memory. Attempts to load it count as calls.
    LoadMemory,
    /// It returns an error.
    Error,
    /// It reports that memory cannot be allocated.
    Memory,
    /// It returns NaN.
    NotFinite,
    /// It panics.
    Panic,
    /// It returns only once it is asked to stop.
    Slow,
    /// It never returns.
    Hang,
}

/// Behaviour of the engines of one model.
#[derive(Debug, Clone, Copy)]
pub struct FakeEngine {
    /// Computes what the model itself does; else `gain` times the mix, by `tilt` louder at the end of each
    /// segment.
    pub real: bool,
    pub gain: f32,
    pub tilt: f32,
    /// Added to every sample, also of silence.
    pub hiss: f32,
    /// How long each call takes.
    pub pause: Duration,
    /// From which call on it fails, and how; calls are counted over all engines of a model.
    pub fails: Option<(usize, Fault)>,
    /// Number of calls that fail.
    pub times: usize,
    /// How it fails in a process of its own; it does not if it is `None`.
    pub isolated: Option<Death>,
}

/// How the process of an isolated engine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The engine crashes it.
    Crashed,
    /// It is killed from outside.
    Killed,
}

impl Default for FakeEngine {
    fn default() -> FakeEngine {
        let pause = Duration::ZERO;
        FakeEngine {
            real: false,
            gain: 1.0,
            tilt: 0.1,
            hiss: 0.0,
            pause,
            fails: None,
            times: usize::MAX,
            isolated: None,
        }
    }
}

/// The engines of all models, with their behaviour. Hanging ones are released when it is dropped.
#[derive(Clone, Default)]
pub struct TestEnvironment {
    shared: Arc<Shared>,
    patience: Option<Duration>,
    limits: Option<Limits>,
    ffmpeg: Option<PathBuf>,
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, (FakeEngine, usize)>>,
    released: AtomicBool,
    /// The models of all segments that were computed in isolation.
    isolated: Mutex<Vec<String>>,
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
        self.shared.isolated.lock().unwrap().len()
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
        self.shared.scripts.lock().unwrap().insert(model.to_owned(), (script, 0));
    }

    /// Number of calls of a model's engines.
    pub fn calls(&self, model: &str) -> usize {
        self.shared.scripts.lock().unwrap().get(model).map_or(0, |script| script.1)
    }

    /// Releases all hanging engines.
    pub fn release(&self) {
        self.shared.released.store(true, Ordering::Release);
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
        let loader = Box::new(Casting { stage: self.clone(), runtime: runtime() });
        Pool::with_loader(config, runtime(), loader).unwrap()
    }

    /// The behaviour of a model's next call, and whether it fails.
    fn call(&self, model: &str) -> (FakeEngine, Option<Fault>) {
        let mut scripts = self.shared.scripts.lock().unwrap();
        let (script, calls) = scripts.entry(model.to_owned()).or_default();
        let call = *calls;
        *calls += 1;
        let fails = script.fails.filter(|&(from, _)| call >= from && call - from < script.times);
        (*script, fails.map(|(_, fault)| fault))
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

struct Casting {
    stage: TestEnvironment,
    runtime: Runtime,
}

impl Loader for Casting {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        self.cast(model, threads, false)
    }

    fn load_isolated(
        &self,
        model: &Arc<Model>,
        threads: usize,
        _: Duration,
    ) -> Result<Box<dyn Engine>, EngineError> {
        self.cast(model, threads, true)
    }
}

impl Casting {
    fn cast(
        &self,
        model: &Arc<Model>,
        threads: usize,
        isolated: bool,
    ) -> Result<Box<dyn Engine>, EngineError> {
        let name = model.card().name.to_string();
        let script = {
            let scripts = self.stage.shared.scripts.lock().unwrap();
            scripts.get(&name).map(|script| script.0).unwrap_or_default()
        };
        if let Some((_, Fault::Load)) = script.fails {
            return Err(EngineError::Load { model: name, reason: "configured to fail".into() });
        }
        if let Some((_, Fault::LoadMemory)) = script.fails
            && self.stage.call(&name).1.is_some()
        {
            return Err(EngineError::of_load(&name, "std::bad_alloc".to_owned()));
        }
        let real = if script.real { Some(self.runtime.load(model, threads)?) } else { None };
        let (stems, stage) = (model.card().stems.len(), self.stage.clone());
        Ok(Box::new(Actor { name, stems, real, stage, isolated, stopped: Arc::default() }))
    }
}

/// A fake engine, around a real one if there is one.
struct Actor {
    name: String,
    stems: usize,
    real: Option<Box<dyn Engine>>,
    stage: TestEnvironment,
    isolated: bool,
    stopped: Arc<AtomicBool>,
}

impl Engine for Actor {
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        let (script, mut fault) = self.stage.call(&self.name);
        std::thread::sleep(script.pause);
        if self.isolated {
            let model = self.name.clone();
            self.stage.shared.isolated.lock().unwrap().push(model.clone());
            match script.isolated {
                Some(Death::Crashed) => {
                    return Err(EngineError::Crashed { model, signal: "SIGSEGV" });
                }
                Some(Death::Killed) => return Err(EngineError::Killed { model }),
                None => fault = None,
            }
        }
        let reason = "configured to fail".to_owned();
        match fault {
            None | Some(Fault::NotFinite | Fault::LoadMemory) => {}
            Some(Fault::Load | Fault::Error) => {
                return Err(EngineError::Run { model: self.name.clone(), reason });
            }
            Some(Fault::Memory) => {
                let reason = "Failed to allocate memory for requested buffer of size 4096";
                return Err(EngineError::of_run(&self.name, reason.to_owned()));
            }
            Some(Fault::Panic) => panic!("{reason}"),
            Some(Fault::Slow | Fault::Hang) => {
                let obeys = fault == Some(Fault::Slow);
                let ends = || {
                    self.stage.shared.released.load(Ordering::Acquire)
                        || obeys && self.stopped.load(Ordering::Acquire)
                };
                while !ends() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return Err(EngineError::Run { model: self.name.clone(), reason });
            }
        }
        let mut stems = match &mut self.real {
            Some(real) => real.separate(mix, options)?,
            None => {
                let mut stem = mix.clone();
                let length = mix.len() as f32;
                for plane in stem.planes_mut() {
                    for (at, sample) in plane.iter_mut().enumerate() {
                        *sample *= script.gain * (1.0 + script.tilt * at as f32 / length);
                        *sample += script.hiss;
                    }
                }
                vec![stem; self.stems]
            }
        };
        if fault == Some(Fault::NotFinite) {
            stems[0].planes_mut()[1][mix.len() / 2] = f32::NAN;
        }
        Ok(stems)
    }

    fn stopper(&mut self) -> Option<Stopper> {
        self.stopped = Arc::default();
        let stopped = Arc::clone(&self.stopped);
        Some(Arc::new(move || stopped.store(true, Ordering::Release)))
    }
}
