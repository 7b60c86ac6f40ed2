//! The expected speed of models on this machine, from the time that their segments took.
//!
//! A model is measured by the first segments that it computes, again by any that are clearly faster, or by `stemwire models
//! benchmark`. The result is kept in a [`cache_file`](super::cache_file) with everything that it depends on.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::cache_file::{entries, update};
use super::machine::Machine;
use super::{EngineOptions, Execution};
use crate::model::card::Family;
use crate::model::{Model, ModelCard, ModelName, Sha256Hash};

/// Name of the list in the file.
const LIST: &str = "speed";

/// Segments whose median time is kept. The first one of a worker also touches its memory.
const SEGMENTS: usize = 3;

/// The share of the known time below which a new one replaces it.
const CLEARLY_FASTER: f64 = 0.9;

/// The measured speed of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredSpeed {
    /// Name of the model, for human readers.
    model: String,
    /// Hash of its card, which has the hashes of its files.
    card: Sha256Hash,
    /// The processor.
    machine: String,
    /// Version of this program.
    version: String,
    #[serde(flatten)]
    conditions: SpeedConditions,
    /// Provider and precision, such as `cpu f32`.
    execution: String,
    /// Seconds that a segment took.
    segment_s: f64,
}

/// How this process computes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeedConditions {
    /// Name and version of the library.
    pub runtime: String,
    /// Compute threads of each worker.
    pub threads: usize,
    /// Workers, which compute segments of one song at the same time.
    pub workers: usize,
}

impl MeasuredSpeed {
    /// Seconds of a song that are computed per second, with this overlap instead of the model's; below 1 is slower than real
    /// time.
    pub fn real_time_factor(&self, card: &ModelCard, overlap: Option<f64>) -> f64 {
        let stride = card.segmentation(overlap.unwrap_or(card.overlap)).stride();
        let seconds = stride.duration(card.sample_rate).as_secs_f64();
        seconds * self.conditions.workers as f64 / self.segment_s.max(1e-9)
    }

    /// Whether a song takes longer than it lasts.
    pub fn is_slower_than_real_time(&self, card: &ModelCard, overlap: Option<f64>) -> bool {
        self.real_time_factor(card, overlap) < 1.0
    }

    /// Provider and precision, such as `cpu f32`.
    pub fn execution(&self) -> &str {
        &self.execution
    }

    /// The speed in words, with what it was measured on.
    pub fn describe(&self, card: &ModelCard, overlap: Option<f64>) -> String {
        let factor = self.real_time_factor(card, overlap);
        let SpeedConditions { threads, workers, .. } = self.conditions;
        let threads = match threads * workers {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let slow = if factor < 1.0 {
            format!(", slower than real time: a minute of song takes {}", minutes(60.0 / factor))
        } else {
            String::new()
        };
        format!("{} × real time{slow} (measured, {}, {threads})", digits(factor), self.execution)
    }

    fn is_of(&self, card: &Sha256Hash, machine: &str) -> bool {
        self.card == *card && self.machine == machine && self.version == env!("CARGO_PKG_VERSION")
    }
}

/// A number with about two digits.
fn digits(number: f64) -> String {
    match number {
        0.0..1.0 => format!("{number:.2}"),
        1.0..10.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// A duration of a minute and more, in words.
fn minutes(seconds: f64) -> String {
    format!("{} min", digits(seconds / 60.0))
}

/// The speeds of models under the conditions of this process.
#[derive(Debug)]
pub struct Speeds {
    /// The cache file, if speeds are kept.
    file: Option<PathBuf>,
    conditions: SpeedConditions,
    machine: String,
    models: Mutex<HashMap<ModelName, ModelTimes>>,
}

/// What is known of one model.
#[derive(Debug)]
struct ModelTimes {
    execution: Execution,
    card: Sha256Hash,
    speed: Option<MeasuredSpeed>,
    /// Times of the last segments, until there are enough of them.
    times: Vec<Duration>,
}

impl Speeds {
    /// Those in `file`, which also keeps new ones.
    pub fn new(file: Option<PathBuf>, conditions: SpeedConditions) -> Speeds {
        let machine = Machine::this().processor;
        Speeds { file, conditions, machine, models: Mutex::default() }
    }

    /// The speed of `model` with this execution, if it was measured.
    pub fn of(&self, model: &Model, execution: Execution) -> Option<MeasuredSpeed> {
        self.with(model, execution, |known| known.speed.clone())
    }

    /// Counts the time of a segment. The first few are the speed of the model. Later ones replace it where they are clearly
    /// faster: it was measured while the machine was busy.
    pub fn count(
        &self,
        model: &Model,
        execution: Execution,
        options: &EngineOptions,
        taken: Duration,
    ) {
        if !is_typical(model.card(), options) {
            return;
        }
        let median = self.with(model, execution, |known| {
            known.times.push(taken);
            if known.times.len() < SEGMENTS {
                return None;
            }
            let taken = median(&std::mem::take(&mut known.times));
            let before = known.speed.as_ref().map_or(f64::INFINITY, |speed| speed.segment_s);
            (taken.as_secs_f64() < CLEARLY_FASTER * before).then_some(taken)
        });
        if let Some(taken) = median
            && let Err(error) = self.set(model, execution, taken)
        {
            tracing::warn!(model = %model.card().name, %error, "the speed of the model is not kept");
        }
    }

    /// Sets the speed of a model by the time of a segment.
    ///
    /// # Errors
    /// The file cannot be written; the speed is then known to this process only.
    pub fn set(&self, model: &Model, execution: Execution, taken: Duration) -> io::Result<()> {
        let speed = self.with(model, execution, |known| {
            let speed = MeasuredSpeed {
                model: model.card().name.to_string(),
                card: known.card,
                machine: self.machine.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                conditions: self.conditions.clone(),
                execution: execution.to_string(),
                segment_s: taken.as_secs_f64(),
            };
            known.speed = Some(speed.clone());
            speed
        });
        let Some(file) = &self.file else { return Ok(()) };
        let entry = Value::try_from(&speed).map_err(io::Error::other)?;
        update(file, LIST, |entries| {
            entries.retain(|entry| {
                let other: Option<MeasuredSpeed> = entry.clone().try_into().ok();
                other.is_none_or(|other| {
                    MeasuredSpeed { segment_s: speed.segment_s, ..other } != speed
                })
            });
            entries.push(entry);
            Ok(())
        })
    }

    fn with<T>(
        &self,
        model: &Model,
        execution: Execution,
        work: impl FnOnce(&mut ModelTimes) -> T,
    ) -> T {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let known = models.entry(model.card().name.clone()).or_insert_with(|| {
            let card = hash(model.card());
            let speed = self.file.as_ref().and_then(|file| {
                let same = |speed: &MeasuredSpeed| {
                    speed.conditions == self.conditions && speed.execution == execution.to_string()
                };
                read(file, &card, &self.machine).into_iter().rev().find(same)
            });
            ModelTimes { execution, card, speed, times: Vec::new() }
        });
        if known.execution != execution {
            // One process selects one execution for each model.
            *known = ModelTimes { execution, speed: None, times: Vec::new(), ..*known };
        }
        work(known)
    }
}

/// The newest speed of a model on this machine, whatever computed it.
pub fn newest(file: &Path, card: &ModelCard) -> Option<MeasuredSpeed> {
    read(file, &hash(card), &Machine::this().processor).pop()
}

/// The speeds of a model, the oldest first.
fn read(file: &Path, card: &Sha256Hash, machine: &str) -> Vec<MeasuredSpeed> {
    let speeds = entries(file, LIST).into_iter().filter_map(|entry| entry.try_into().ok());
    speeds.filter(|speed: &MeasuredSpeed| speed.is_of(card, machine)).collect()
}

fn hash(card: &ModelCard) -> Sha256Hash {
    // A card that was parsed can be written.
    Sha256Hash::of(card.to_toml().unwrap_or_default().as_bytes())
}

/// Whether a segment with these options takes as long as with all stems.
fn is_typical(card: &ModelCard, options: &EngineOptions) -> bool {
    let has_networks =
        card.weights.len() > 1 || matches!(card.family, Family::Ensemble | Family::Spleeter);
    !has_networks || options.wanted.iter().all(|&wanted| wanted)
}

/// The median of some times, of which there must be one.
pub(super) fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
