//! Decisions, with shell scripts as candidates.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::engine::Provider;
use crate::engine::runtime::locate::LibraryOrigin;
use crate::model::AvailableModels;

const CUDA_FAILS: &str = "echo no CUDA-capable device >&2; exit 1";

/// A folder with a library of three providers, and a script for each.
struct TestEnvironment {
    folder: tempfile::TempDir,
    model: Arc<Model>,
    in_time: bool,
    starts: Cell<usize>,
    cache_errors: Cell<usize>,
}

impl TestEnvironment {
    fn new() -> TestEnvironment {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "_providers_openvino", "_providers_cuda"] {
            fs::write(folder.path().join(format!("libonnxruntime{name}.so")), "").unwrap();
        }
        let model = AvailableModels::open(None).find("mini").unwrap();
        let (starts, cache_errors) = (Cell::new(0), Cell::new(0));
        let environment = TestEnvironment { folder, model, in_time: true, starts, cache_errors };
        environment.script("cpu", &environment.answers(1000));
        environment.script("openvino", &environment.answers(500));
        environment.script("cuda", CUDA_FAILS);
        environment
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, provider: &str, script: &str) {
        fs::write(self.at(provider), script).unwrap();
    }

    /// Silent stems, in so many nanoseconds.
    fn answers(&self, nanoseconds: u32) -> String {
        let card = self.model.card();
        let bytes = 4 * 2 * card.stems.len() * card.segment.as_len();
        format!(
            "echo stemwire-autotune loaded; echo stemwire-autotune ready {bytes}; head -c {bytes} /dev/zero
             while read line; do echo stemwire-autotune took {nanoseconds}; done"
        )
    }

    fn decide_in(&self, cache_file: Option<&Path>, request: ProviderRequest) -> Decision {
        let command = |candidate: &Candidate| {
            let provider = candidate.execution.provider.as_str();
            let mut command = Command::new("sh");
            command.args(["-c", &format!("echo {provider} >> started; . ./{provider}")]);
            command.current_dir(self.folder.path());
            command
        };
        let may_start = || {
            self.starts.set(self.starts.get() + 1);
            self.in_time
        };
        let autotune = AutotuneConfig {
            model: &self.model,
            threads: 1,
            limits: TimeLimits::default(),
            command: &command,
            may_start: &may_start,
            cache_file,
            on_cache_error: &|_| self.cache_errors.set(self.cache_errors.get() + 1),
        };
        let library =
            FoundLibrary { path: self.at("libonnxruntime.so"), origin: LibraryOrigin::Beside };
        decide(&[library], request, &autotune).unwrap()
    }

    fn decide(&self) -> Decision {
        self.decide_in(Some(&self.at("cache/trials.toml")), ProviderRequest::default())
    }

    /// The providers whose processes were started since the last call, in order.
    fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("started")).unwrap_or_default();
        fs::write(self.at("started"), "").unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Provider, speed or reason, and whether that is cached.
fn results_of(decision: &Decision) -> Vec<(&str, String, bool)> {
    let result = |measured: &'_ BenchmarkResult| {
        let outcome = match &measured.result {
            Ok(figures) => figures.speed.to_string(),
            Err(reason) => reason.clone(),
        };
        (measured.candidate.execution.provider.as_str(), outcome, measured.cached)
    };
    decision.results.iter().map(result).collect()
}

#[test]
fn only_failed_candidates_are_measured_again() {
    let environment = TestEnvironment::new();
    let cpu = ("cpu", "1".to_owned(), true);
    let no_device = "its process ended with exit status: 1: no CUDA-capable device".to_owned();
    let first = environment.decide();
    assert_eq!(first.chosen.execution.provider, Provider::Openvino);
    let openvino = ("openvino", "2".to_owned(), false);
    assert_eq!(results_of(&first), [cpu.clone(), openvino, ("cuda", no_device.clone(), false)]);
    assert_eq!(environment.started(), ["openvino", "cpu", "cuda"]);

    let again = environment.decide();
    assert_eq!(again.chosen, first.chosen);
    let openvino = ("openvino", "2".to_owned(), true);
    assert_eq!(results_of(&again), [cpu.clone(), openvino.clone(), ("cuda", no_device, false)]);
    assert_eq!(environment.started(), ["cuda"], "figures are cached, failures are not");

    environment.script("cuda", &environment.answers(100));
    let mended = environment.decide();
    assert_eq!(mended.chosen.execution.provider, Provider::Cuda);
    assert_eq!(results_of(&mended), [cpu.clone(), openvino, ("cuda", "10".to_owned(), false)]);
    assert_eq!(environment.started(), ["cuda", "cpu"]);

    assert_eq!(environment.starts.get(), 3);
    let cached = environment.decide();
    assert_eq!((&cached.chosen, &cached.reason), (&mended.chosen, &mended.reason));
    assert!(cached.results.iter().all(|result| result.cached));
    assert!(environment.started().is_empty() && environment.starts.get() == 3);
    // A request for another precision measures only the new candidates.
    let provider = ProviderChoice::Auto;
    let fast = ProviderRequest { provider, precision: PrecisionChoice::Fast };
    environment.decide_in(Some(&environment.at("cache/trials.toml")), fast);
    assert_eq!(
        environment.started().iter().filter(|name| *name == "cuda").count(),
        1,
        "that is TF32"
    );
    assert_eq!(environment.cache_errors.get(), 0);
}

#[test]
fn without_time_the_cached_figures_decide() {
    let mut environment = TestEnvironment::new();
    environment.in_time = false;
    let unmeasured = environment.decide();
    assert_eq!((unmeasured.chosen.execution, unmeasured.results.len()), (Execution::BASELINE, 0));
    assert!(unmeasured.reason.contains("time limit"), "{}", unmeasured.reason);
    environment.in_time = true;
    environment.decide();
    environment.started();
    environment.in_time = false;
    let decision = environment.decide();
    assert_eq!(decision.chosen.execution.provider, Provider::Openvino);
    assert!(decision.results[2].to_string().contains("cuda f32 is skipped: the time limit"));
    assert!(environment.started().is_empty());
}

#[test]
fn a_cache_error_is_reported() {
    let environment = TestEnvironment::new();
    let blocked = environment.at("libonnxruntime.so").join("trials.toml");
    for count in 1..=2 {
        let decision = environment.decide_in(Some(&blocked), ProviderRequest::default());
        assert_eq!(decision.chosen.execution.provider, Provider::Openvino);
        assert_eq!((environment.cache_errors.get(), environment.started().len()), (count, 3));
    }
    environment.decide_in(None, ProviderRequest::default());
    assert_eq!(
        (environment.cache_errors.get(), environment.started().len()),
        (2, 3),
        "there is no cache file"
    );
}
