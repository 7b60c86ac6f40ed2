//! An engine in a process of its own separates as it does in this one.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use stemwire::audio::Stereo;
use stemwire::engine::isolated::IsolatingLoader;
use stemwire::engine::{EngineOptions, ExecutionConfig, Loader, ProviderSelection};
use stemwire::model::{AvailableModels, Model};

use crate::support::pipeline::{DECODER, runtime};

const PATIENCE: Duration = Duration::from_secs(300);

fn segment(model: &Model) -> Stereo {
    let sample = |at: usize| (at as f32 * 0.013).sin() * 0.3 + (at as f32 * 0.31).cos() * 0.05;
    let left: Vec<f32> = (0..model.card().segment.as_len()).map(sample).collect();
    let right = left.iter().rev().map(|sample| sample * 0.7).collect();
    Stereo::from_planes(left, right).unwrap()
}

fn command(model: &Model, config: &ExecutionConfig) -> Command {
    let mut command = Command::new(DECODER);
    command.arg("compute").arg("--library").arg(config.runtime.path());
    command.args(["--provider", config.execution.provider.as_str()]);
    command.args(["--precision", config.execution.precision.as_str()]);
    command.args(["--threads", &config.threads.to_string()]);
    command.args(["--model", model.card().name.as_str()]);
    command
}

#[test]
fn the_stems_are_the_same_to_the_bit() {
    let providers = ProviderSelection::from(runtime());
    let loader = IsolatingLoader::new(providers, Box::new(command));
    let models = AvailableModels::open(None);
    for name in ["mini", "mini-spleeter"] {
        let model = Arc::clone(&models.find(name).unwrap());
        let (mix, mut options) = (segment(&model), EngineOptions::all(model.card()));
        let mut here = loader.load(&model, 2).unwrap();
        let mut there = loader.load_isolated(&model, 2, PATIENCE).unwrap();
        for wanted in [true, false] {
            options.wanted[1] = wanted;
            here.prepare(&options).unwrap();
            let expected = here.separate(&mix, &options).unwrap();
            let found = there.separate(&mix, &options).unwrap();
            assert!(found == expected, "{name} differs");
        }
    }
}
