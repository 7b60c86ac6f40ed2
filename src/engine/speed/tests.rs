use std::fs;
use std::sync::Arc;

use super::*;
use crate::model::AvailableModels;

fn model(name: &str) -> Arc<Model> {
    AvailableModels::open(None).find(name).unwrap()
}

fn speeds(file: &Path, threads: usize) -> Speeds {
    let runtime = "onnxruntime 1".to_owned();
    let conditions = SpeedConditions { runtime, threads, workers: 1 };
    Speeds::new(Some(file.to_owned()), conditions)
}

fn factor(speed: Option<MeasuredSpeed>, model: &Model) -> Option<f64> {
    speed.map(|speed| (speed.real_time_factor(model.card(), None) * 1000.0).round() / 1000.0)
}

#[test]
fn the_first_segments_are_measured_and_kept_until_others_are_faster() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("speeds.toml");
    fs::write(&file, "[[trial]]\nmodel = \"mini\"\n").unwrap();
    let (mini, all) = (model("mini"), EngineOptions::all(model("mini").card()));
    let first = speeds(&file, 2);
    for seconds in [9, 1, 2] {
        assert_eq!(first.of(&mini, Execution::BASELINE), None);
        first.count(&mini, Execution::BASELINE, &all, Duration::from_secs(seconds));
    }
    // Segments of four seconds, of which a quarter overlaps.
    assert_eq!(factor(first.of(&mini, Execution::BASELINE), &mini), Some(1.5));
    let later = speeds(&file, 2);
    for (seconds, expected) in [(7.0, 1.5), (1.9, 1.5), (1.5, 2.0)] {
        for _ in 0..SEGMENTS {
            let taken = Duration::from_secs_f64(seconds);
            later.count(&mini, Execution::BASELINE, &all, taken);
        }
        assert_eq!(factor(later.of(&mini, Execution::BASELINE), &mini), Some(expected));
    }
    assert_eq!(factor(newest(&file, mini.card()), &mini), Some(2.0));
    assert_eq!(speeds(&file, 1).of(&mini, Execution::BASELINE), None, "other threads");
    assert_eq!(newest(&file, model("mini-spleeter").card()), None);
    later.set(&mini, Execution::BASELINE, Duration::from_secs(6)).unwrap();
    assert_eq!(factor(speeds(&file, 2).of(&mini, Execution::BASELINE), &mini), Some(0.5));
    assert_eq!(entries(&file, LIST).len(), 1);
    assert_eq!(entries(&file, "trial").len(), 1, "other lists are preserved");
}

#[test]
fn segments_without_all_networks_do_not_count() {
    let spleeter = model("mini-spleeter");
    let mut one = EngineOptions::all(spleeter.card());
    one.wanted[0] = false;
    assert!(!is_typical(spleeter.card(), &one));
    assert!(is_typical(spleeter.card(), &EngineOptions::all(spleeter.card())));
    assert!(is_typical(model("mini").card(), &one));
}

#[test]
fn a_speed_below_real_time_is_stated() {
    let (mini, folder) = (model("mini"), tempfile::tempdir().unwrap());
    let speeds = speeds(&folder.path().join("speeds.toml"), 2);
    let describe = |milliseconds| {
        let taken = Duration::from_millis(milliseconds);
        speeds.set(&mini, Execution::BASELINE, taken).unwrap();
        let speed = speeds.of(&mini, Execution::BASELINE).unwrap();
        (speed.describe(mini.card(), None), speed.describe(mini.card(), Some(0.75)))
    };
    let (usual, close) = describe(1000);
    assert_eq!(usual, "3.0 × real time (measured, cpu f32, 2 threads)");
    assert_eq!(close, "1.0 × real time (measured, cpu f32, 2 threads)");
    let slow = "0.25 × real time, slower than real time: a minute of song takes 4.0 min";
    assert_eq!(describe(12_000).0, format!("{slow} (measured, cpu f32, 2 threads)"));
}
