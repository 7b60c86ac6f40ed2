//! Circuit breakers: take a failing engine out of use, one breaker per model, or per model and worker of a cluster.
//!
//! A closed circuit means that the engine is used. After some failures in a row, or at once if the model is unusable, the
//! circuit opens: new sessions start with the next engine of the chain, and segments go to other workers. The engine is
//! probed at growing intervals, and a successful probe closes the circuit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::EngineError;

/// When circuits open and how soon engines are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitBreakerConfig {
    /// Failures in a row that open a circuit.
    pub failures: u32,
    /// Delay of the first probe; doubled with each failed one.
    pub probe: Duration,
}

impl Default for CircuitBreakerConfig {
    fn default() -> CircuitBreakerConfig {
        CircuitBreakerConfig { failures: 3, probe: Duration::from_secs(30) }
    }
}

/// The circuit breakers of all engines. An engine is named by its model, or by its model and its worker.
#[derive(Debug, Default)]
pub struct CircuitBreakers {
    config: CircuitBreakerConfig,
    breakers: Mutex<HashMap<String, CircuitBreaker>>,
}

/// The health of an engine.
#[derive(Debug, Clone, Default)]
pub struct EngineHealth {
    /// Whether the engine is in use.
    pub circuit: CircuitState,
    /// Failures in a row.
    pub failures: u32,
    /// When the circuit last changed; `None` if the engine has never failed.
    pub since: Option<SystemTime>,
    /// The last failure since the last success.
    pub error: Option<EngineError>,
}

/// Whether an engine is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CircuitState {
    /// It is in use.
    #[default]
    Closed,
    /// New sessions start with the next engine, and segments go to other workers.
    Open,
    /// As open, while the engine is being probed.
    Probing,
}

#[derive(Debug, Default)]
struct CircuitBreaker {
    health: EngineHealth,
    /// When the engine is probed next, and the delay before that; unused while the circuit is closed.
    probe: Option<(Instant, Duration)>,
}

impl CircuitBreakers {
    /// Longest delay between probes, as a multiple of the first.
    const MAX_DELAY_FACTOR: u32 = 32;

    /// Closed circuits.
    pub fn new(config: CircuitBreakerConfig) -> CircuitBreakers {
        CircuitBreakers { config, breakers: Mutex::default() }
    }

    /// The health of an engine.
    pub fn health(&self, engine: &str) -> EngineHealth {
        self.lock().get(engine).map(|breaker| breaker.health.clone()).unwrap_or_default()
    }

    /// Whether a session may start with this engine.
    pub fn is_closed(&self, engine: &str) -> bool {
        self.health(engine).circuit == CircuitState::Closed
    }

    /// Records a success.
    pub fn succeeded(&self, engine: &str) {
        let mut breakers = self.lock();
        let Some(breaker) = breakers.get_mut(engine) else { return };
        let health = &mut breaker.health;
        if health.failures == 0 {
            return;
        }
        if health.circuit != CircuitState::Closed {
            tracing::info!(engine, "engine works again");
        }
        *health = EngineHealth { since: Some(SystemTime::now()), ..EngineHealth::default() };
        breaker.probe = None;
    }

    /// Records a failure.
    pub fn failed(&self, engine: &str, error: &EngineError) {
        self.record(engine, error, error.is_model_unusable());
    }

    /// Records a failure that opens the circuit at once: the engine cannot separate silence.
    pub fn failed_to_start(&self, engine: &str, error: &EngineError) {
        self.record(engine, error, true);
    }

    fn record(&self, engine: &str, error: &EngineError, opens: bool) {
        let mut breakers = self.lock();
        let breaker = breakers.entry(engine.to_owned()).or_default();
        breaker.health.failures = breaker.health.failures.saturating_add(1);
        breaker.health.error = Some(error.clone());
        let opens = opens || breaker.health.failures >= self.config.failures;
        match breaker.health.circuit {
            CircuitState::Closed if opens => {
                tracing::error!(engine, %error, "engine out of use until a probe succeeds");
                breaker.change(CircuitState::Open);
                breaker.wait(self.config.probe);
            }
            CircuitState::Closed if breaker.health.failures == 1 => {
                breaker.change(CircuitState::Closed)
            }
            // Segments that were running when the circuit opened add no information.
            CircuitState::Closed | CircuitState::Open | CircuitState::Probing => {}
        }
    }

    /// Whether an engine whose probes are ordinary segments may get one: its circuit is closed, or a probe is due, which the
    /// segment is from now on.
    ///
    /// # Errors
    /// The time to the next probe.
    pub fn admit(&self, engine: &str) -> Result<(), Duration> {
        let (mut breakers, now) = (self.lock(), Instant::now());
        let breaker = breakers.get_mut(engine);
        let open = breaker.filter(|breaker| breaker.health.circuit != CircuitState::Closed);
        let Some((breaker, (at, pause))) = open.and_then(|one| one.probe.map(|probe| (one, probe)))
        else {
            return Ok(());
        };
        if at > now {
            return Err(at - now);
        }
        breaker.health.circuit = CircuitState::Probing;
        // One that gets no answer is followed by another.
        breaker.wait(pause);
        Ok(())
    }

    /// Forgets an engine.
    pub fn forget(&self, engine: &str) {
        self.lock().remove(engine);
    }

    /// Takes the engines that are due for a probe; their circuits become [`CircuitState::Probing`].
    pub fn due(&self) -> Vec<String> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (engine, breaker) in self.lock().iter_mut() {
            let open = breaker.health.circuit == CircuitState::Open;
            if open && breaker.probe.is_some_and(|(at, _)| at <= now) {
                breaker.health.circuit = CircuitState::Probing;
                due.push(engine.clone());
            }
        }
        due
    }

    /// Records a failed probe and schedules the next one.
    pub fn probe_failed(&self, engine: &str, error: EngineError) {
        let longest = self.config.probe.saturating_mul(Self::MAX_DELAY_FACTOR);
        if let Some(breaker) = self.lock().get_mut(engine)
            && breaker.health.circuit == CircuitState::Probing
        {
            breaker.health.circuit = CircuitState::Open;
            breaker.health.failures = breaker.health.failures.saturating_add(1);
            breaker.health.error = Some(error);
            let pause = breaker.probe.map_or(self.config.probe, |(_, pause)| pause);
            breaker.wait(pause.saturating_mul(2).min(longest));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, CircuitBreaker>> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CircuitBreaker {
    fn change(&mut self, circuit: CircuitState) {
        self.health.circuit = circuit;
        self.health.since = Some(SystemTime::now());
    }

    fn wait(&mut self, pause: Duration) {
        self.probe = Some((Instant::now() + pause, pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breakers(failures: u32, probe: Duration) -> CircuitBreakers {
        CircuitBreakers::new(CircuitBreakerConfig { failures, probe })
    }

    fn nan() -> EngineError {
        EngineError::NotFinite { model: "m".into() }
    }

    #[track_caller]
    fn check(breakers: &CircuitBreakers, circuit: CircuitState, failures: u32) {
        let health = breakers.health("m");
        assert_eq!((health.circuit, health.failures), (circuit, failures));
        assert_eq!(health.error.is_some(), failures > 0);
    }

    #[test]
    fn failures_in_a_row_open_and_one_success_closes() {
        let breakers = breakers(3, Duration::from_secs(60));
        check(&breakers, CircuitState::Closed, 0);
        assert!(breakers.health("m").since.is_none());
        for failures in 1..=2 {
            breakers.failed("m", &nan());
            check(&breakers, CircuitState::Closed, failures);
        }
        breakers.succeeded("m");
        check(&breakers, CircuitState::Closed, 0);
        for _ in 0..4 {
            breakers.failed("m", &nan());
        }
        check(&breakers, CircuitState::Open, 4);
        assert!(!breakers.is_closed("m") && breakers.is_closed("other"));
        assert!(breakers.due().is_empty(), "its time has not come");
        breakers.succeeded("m");
        check(&breakers, CircuitState::Closed, 0);
    }

    #[test]
    fn a_model_that_cannot_be_loaded_opens_the_circuit_at_once() {
        let breakers = breakers(3, Duration::from_secs(60));
        let error = EngineError::Load { model: "m".into(), reason: "no graph".into() };
        breakers.failed("m", &error);
        check(&breakers, CircuitState::Open, 1);
        breakers.succeeded("m");
        breakers.failed_to_start("m", &nan());
        check(&breakers, CircuitState::Open, 1);
    }

    #[test]
    fn an_open_circuit_is_probed_at_growing_intervals() {
        let breakers = breakers(1, Duration::ZERO);
        breakers.failed("m", &nan());
        assert_eq!(breakers.due(), ["m"]);
        check(&breakers, CircuitState::Probing, 1);
        assert!(breakers.due().is_empty(), "one at a time");
        breakers.probe_failed("m", nan());
        check(&breakers, CircuitState::Open, 2);
        assert_eq!(breakers.due(), ["m"]);
        breakers.succeeded("m");
        check(&breakers, CircuitState::Closed, 0);
        let slow = CircuitBreakers::new(CircuitBreakerConfig {
            failures: 1,
            probe: Duration::from_secs(1),
        });
        slow.failed("m", &nan());
        for expected in [2, 4, 8, 16, 32, 32] {
            slow.lock().get_mut("m").unwrap().health.circuit = CircuitState::Probing;
            slow.probe_failed("m", nan());
            let (_, pause) = slow.lock()["m"].probe.unwrap();
            assert_eq!(pause, Duration::from_secs(expected));
        }
    }
    #[test]
    fn an_engine_that_ordinary_segments_probe_gets_one_at_a_time() {
        let once = breakers(1, Duration::ZERO);
        once.failed("m", &nan());
        assert_eq!(once.admit("m"), Ok(()));
        check(&once, CircuitState::Probing, 1);
        once.probe_failed("m", nan());
        check(&once, CircuitState::Open, 2);
        once.forget("m");
        check(&once, CircuitState::Closed, 0);
        let minute = Duration::from_secs(60);
        let slow = breakers(1, minute);
        slow.failed("m", &nan());
        let due = |slow: &CircuitBreakers| {
            slow.lock().get_mut("m").unwrap().probe = Some((Instant::now(), minute));
        };
        assert!(slow.admit("m").unwrap_err() <= minute);
        due(&slow);
        assert_eq!(slow.admit("m"), Ok(()));
        assert!(slow.admit("m").is_err(), "the first one has no answer yet");
        due(&slow);
        assert_eq!(slow.admit("m"), Ok(()));
    }
}
