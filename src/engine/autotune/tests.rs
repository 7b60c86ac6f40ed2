//! Decisions, with scripts for processes.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::engine::Provider;
use crate::engine::runtime::locate::Origin;
use crate::model::Catalog;

const CUDA_FAILS: &str = "echo no CUDA-capable device >&2; exit 1";

/// A folder with a library of three providers, and what the processes of each do.
struct Stage {
    folder: tempfile::TempDir,
    model: Arc<Model>,
    in_time: bool,
    asked: Cell<usize>,
    unkept: Cell<usize>,
}

impl Stage {
    fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "_providers_openvino", "_providers_cuda"] {
            fs::write(folder.path().join(format!("libonnxruntime{name}.so")), "").unwrap();
        }
        let model = Catalog::open(None).find("mini").unwrap();
        let (asked, unkept) = (Cell::new(0), Cell::new(0));
        let stage = Stage { folder, model, in_time: true, asked, unkept };
        stage.play("cpu", &stage.answers(1000));
        stage.play("openvino", &stage.answers(500));
        stage.play("cuda", CUDA_FAILS);
        stage
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn play(&self, provider: &str, script: &str) {
        fs::write(self.at(provider), script).unwrap();
    }

    /// Silent stems, in so many nanoseconds.
    fn answers(&self, nanoseconds: u32) -> String {
        let card = self.model.card();
        let bytes = 4 * 2 * card.stems.len() * card.segment.as_len();
        format!(
            "echo stemwire-trial loaded; echo stemwire-trial ready {bytes}; head -c {bytes} /dev/zero
             while read line; do echo stemwire-trial took {nanoseconds}; done"
        )
    }

    fn decide_in(&self, memory: Option<&Path>, request: Request) -> Verdict {
        let command = |candidate: &Candidate| {
            let provider = candidate.execution.provider.as_str();
            let mut command = Command::new("sh");
            command.args(["-c", &format!("echo {provider} >> started; . ./{provider}")]);
            command.current_dir(self.folder.path());
            command
        };
        let begin = || {
            self.asked.set(self.asked.get() + 1);
            self.in_time
        };
        let bench = Bench {
            model: &self.model,
            threads: 1,
            limits: TimeLimits::default(),
            command: &command,
            begin: &begin,
            memory,
            unkept: &|_| self.unkept.set(self.unkept.get() + 1),
        };
        let library = Found { path: self.at("libonnxruntime.so"), origin: Origin::Beside };
        decide(&[library], request, &bench).unwrap()
    }

    fn decide(&self) -> Verdict {
        self.decide_in(Some(&self.at("cache/trials.toml")), Request::default())
    }

    /// Whose processes have been started since this was asked before, in their order.
    fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("started")).unwrap_or_default();
        fs::write(self.at("started"), "").unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Provider, speed or reason, and whether that is recalled.
fn told(verdict: &Verdict) -> Vec<(&str, String, bool)> {
    let told = |tried: &'_ Tried| {
        let result = match &tried.result {
            Ok(figures) => figures.speed.to_string(),
            Err(reason) => reason.clone(),
        };
        (tried.candidate.execution.provider.as_str(), result, tried.recalled)
    };
    verdict.tried.iter().map(told).collect()
}

#[test]
fn only_what_has_failed_is_tried_again() {
    let stage = Stage::new();
    let cpu = ("cpu", "1".to_owned(), true);
    let no_device = "its process ended with exit status: 1: no CUDA-capable device".to_owned();
    let first = stage.decide();
    assert_eq!(first.chosen.execution.provider, Provider::Openvino);
    let openvino = ("openvino", "2".to_owned(), false);
    assert_eq!(told(&first), [cpu.clone(), openvino, ("cuda", no_device.clone(), false)]);
    assert_eq!(stage.started(), ["openvino", "cpu", "cuda"]);

    let again = stage.decide();
    assert_eq!(again.chosen, first.chosen);
    let openvino = ("openvino", "2".to_owned(), true);
    assert_eq!(told(&again), [cpu.clone(), openvino.clone(), ("cuda", no_device, false)]);
    assert_eq!(stage.started(), ["cuda"], "a failure is no verdict for ever, a success is");

    stage.play("cuda", &stage.answers(100));
    let mended = stage.decide();
    assert_eq!(mended.chosen.execution.provider, Provider::Cuda);
    assert_eq!(told(&mended), [cpu.clone(), openvino, ("cuda", "10".to_owned(), false)]);
    assert_eq!(stage.started(), ["cuda", "cpu"]);

    assert_eq!(stage.asked.get(), 3);
    let recalled = stage.decide();
    assert_eq!((&recalled.chosen, &recalled.reason), (&mended.chosen, &mended.reason));
    assert!(recalled.tried.iter().all(|tried| tried.recalled));
    assert!(stage.started().is_empty() && stage.asked.get() == 3);
    // Nor has anybody to run again to whom another question is put.
    let provider = ProviderChoice::Auto;
    let fast = Request { provider, precision: PrecisionChoice::Fast };
    stage.decide_in(Some(&stage.at("cache/trials.toml")), fast);
    assert_eq!(stage.started().iter().filter(|name| *name == "cuda").count(), 1, "that is TF32");
    assert_eq!(stage.unkept.get(), 0);
}

#[test]
fn without_time_what_is_known_decides() {
    let mut stage = Stage::new();
    stage.in_time = false;
    let untried = stage.decide();
    assert_eq!((untried.chosen.execution, untried.tried.len()), (Execution::REFERENCE, 0));
    assert!(untried.reason.contains("no time left"), "{}", untried.reason);
    stage.in_time = true;
    stage.decide();
    stage.started();
    stage.in_time = false;
    let verdict = stage.decide();
    assert_eq!(verdict.chosen.execution.provider, Provider::Openvino);
    assert!(verdict.tried[2].to_string().contains("cuda f32 is left out: there was no time left"));
    assert!(stage.started().is_empty());
}

#[test]
fn what_cannot_be_kept_is_told() {
    let stage = Stage::new();
    let blocked = stage.at("libonnxruntime.so").join("trials.toml");
    for count in 1..=2 {
        let verdict = stage.decide_in(Some(&blocked), Request::default());
        assert_eq!(verdict.chosen.execution.provider, Provider::Openvino);
        assert_eq!((stage.unkept.get(), stage.started().len()), (count, 3));
    }
    stage.decide_in(None, Request::default());
    assert_eq!((stage.unkept.get(), stage.started().len()), (2, 3), "nobody has asked to keep it");
}
