//! Fake engines: they compute something simple and fail where they are configured to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stemwire::audio::Stereo;
use stemwire::engine::{Engine, EngineError, EngineOptions, Loader, Runtime, Stopper};
use stemwire::model::Model;

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

/// The behaviour of the engines of all models, and what they have computed.
#[derive(Default)]
pub struct FakeEngines {
    scripts: Mutex<HashMap<String, (FakeEngine, usize)>>,
    released: AtomicBool,
    /// The models of all segments that were computed in isolation.
    isolated: Mutex<Vec<String>>,
}

impl FakeEngines {
    /// Sets the behaviour of a model and resets its count of calls.
    pub fn set(&self, model: &str, script: FakeEngine) {
        self.scripts.lock().unwrap().insert(model.to_owned(), (script, 0));
    }

    /// Number of calls of a model's engines.
    pub fn calls(&self, model: &str) -> usize {
        self.scripts.lock().unwrap().get(model).map_or(0, |script| script.1)
    }

    /// The number of segments that were computed in isolation.
    pub fn isolated(&self) -> usize {
        self.isolated.lock().unwrap().len()
    }

    /// Releases all hanging engines.
    pub fn release(&self) {
        self.released.store(true, Ordering::Release);
    }

    /// The behaviour of a model's next call, and whether it fails.
    fn call(&self, model: &str) -> (FakeEngine, Option<Fault>) {
        let mut scripts = self.scripts.lock().unwrap();
        let (script, calls) = scripts.entry(model.to_owned()).or_default();
        let call = *calls;
        *calls += 1;
        let fails = script.fails.filter(|&(from, _)| call >= from && call - from < script.times);
        (*script, fails.map(|(_, fault)| fault))
    }
}

/// Loads fake engines.
pub struct FakeLoader {
    pub engines: Arc<FakeEngines>,
    /// Loads the real ones that they may be around.
    pub runtime: Runtime,
}

impl Loader for FakeLoader {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        self.load_fake(model, threads, false)
    }

    fn load_isolated(
        &self,
        model: &Arc<Model>,
        threads: usize,
        _: Duration,
    ) -> Result<Box<dyn Engine>, EngineError> {
        self.load_fake(model, threads, true)
    }
}

impl FakeLoader {
    fn load_fake(
        &self,
        model: &Arc<Model>,
        threads: usize,
        isolated: bool,
    ) -> Result<Box<dyn Engine>, EngineError> {
        let name = model.card().name.to_string();
        let script = {
            let scripts = self.engines.scripts.lock().unwrap();
            scripts.get(&name).map(|script| script.0).unwrap_or_default()
        };
        if let Some((_, Fault::Load)) = script.fails {
            return Err(EngineError::Load { model: name, reason: "configured to fail".into() });
        }
        if let Some((_, Fault::LoadMemory)) = script.fails
            && self.engines.call(&name).1.is_some()
        {
            return Err(EngineError::of_load(&name, "std::bad_alloc".to_owned()));
        }
        let real = if script.real { Some(self.runtime.load(model, threads)?) } else { None };
        let (stems, engines) = (model.card().stems.len(), Arc::clone(&self.engines));
        Ok(Box::new(LoadedFake { name, stems, real, engines, isolated, stopped: Arc::default() }))
    }
}

/// A fake engine, around a real one if there is one.
struct LoadedFake {
    name: String,
    stems: usize,
    real: Option<Box<dyn Engine>>,
    engines: Arc<FakeEngines>,
    isolated: bool,
    stopped: Arc<AtomicBool>,
}

impl Engine for LoadedFake {
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        let (script, mut fault) = self.engines.call(&self.name);
        std::thread::sleep(script.pause);
        if self.isolated {
            let model = self.name.clone();
            self.engines.isolated.lock().unwrap().push(model.clone());
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
                    self.engines.released.load(Ordering::Acquire)
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
