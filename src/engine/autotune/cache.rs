//! The cache file of measured figures.
//!
//! One entry per candidate, under the fingerprint of everything that its figures depend on. Entries of other versions
//! are preserved.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::decision::MIN_SNR_EXACT_DB;
use super::{Candidate, Figures};
use crate::engine::Execution;
use crate::engine::cache_file::{entries, update};
use crate::model::{ModelName, Sha256Hash};

/// Name of the entries in the file.
const ENTRIES: &str = "trial";

/// A cache entry as it is written. All but the fingerprint and the figures are for human readers.
#[derive(Serialize)]
struct CacheEntry<'a> {
    #[serde(rename = "key")]
    fingerprint: Sha256Hash,
    model: &'a str,
    execution: String,
    library: String,
    speed: f64,
    snr_db: f64,
}

/// The part of an entry that is read.
#[derive(Deserialize)]
struct CachedFigures {
    #[serde(rename = "key")]
    fingerprint: Sha256Hash,
    speed: f64,
    snr_db: f64,
}

impl CachedFigures {
    /// `None` if the entry was written by another version in another form.
    fn of(entry: &Value) -> Option<CachedFigures> {
        entry.clone().try_into().ok()
    }
}

/// Loads the figures under a fingerprint.
pub(super) fn load(file: &Path, fingerprint: &Sha256Hash) -> Option<Figures> {
    let entries = entries(file, ENTRIES);
    let mut cached = entries.iter().filter_map(CachedFigures::of);
    let found = cached.find(|cached| cached.fingerprint == *fingerprint)?;
    Some(Figures { speed: found.speed, snr_db: found.snr_db })
}

/// The speed of an execution that was measured earlier with a model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CachedSpeed {
    model: String,
    execution: String,
    speed: f64,
    snr_db: f64,
}

impl fmt::Display for CachedSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CachedSpeed { execution, speed, .. } = self;
        write!(f, "{execution} is {speed:.2} times as fast as {}", Execution::BASELINE)
    }
}

/// The fastest exact execution of a model that was measured, by the newest entry of each. The library or the threads may have
/// changed since.
pub fn fastest(file: &Path, model: &ModelName) -> Option<CachedSpeed> {
    let of_model = |entry: &Value| {
        let cached: CachedSpeed = entry.clone().try_into().ok()?;
        (cached.model == model.as_str()).then_some(cached)
    };
    let newest: BTreeMap<String, CachedSpeed> = entries(file, ENTRIES)
        .iter()
        .filter_map(of_model)
        .map(|cached| (cached.execution.clone(), cached))
        .collect();
    let exact = newest.into_values().filter(|cached| cached.snr_db >= MIN_SNR_EXACT_DB);
    exact.max_by(|a, b| a.speed.total_cmp(&b.speed))
}

/// Stores the figures of `candidates`, measured with `model`, each under its fingerprint.
///
/// # Errors
/// The file cannot be written; the candidates are then measured again at the next start.
pub(super) fn store(
    file: &Path,
    model: &ModelName,
    candidates: &[(Sha256Hash, &Candidate, Figures)],
) -> io::Result<()> {
    update(file, ENTRIES, |entries| {
        for (fingerprint, Candidate { library, execution }, Figures { speed, snr_db }) in candidates
        {
            entries.retain(|entry| {
                CachedFigures::of(entry).is_none_or(|cached| cached.fingerprint != *fingerprint)
            });
            let entry = CacheEntry {
                fingerprint: *fingerprint,
                model: model.as_str(),
                execution: execution.to_string(),
                library: library.display().to_string(),
                speed: *speed,
                snr_db: *snr_db,
            };
            entries.push(Value::try_from(entry).map_err(io::Error::other)?);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use toml::Table;

    use super::*;
    use crate::engine::cache_file::MAX_ENTRIES;

    const FIGURES: Figures = Figures { speed: 1.5, snr_db: 98.25 };

    fn fingerprint(number: usize) -> Sha256Hash {
        Sha256Hash::of(&number.to_le_bytes())
    }

    fn store(file: &Path, number: usize, figures: Figures) -> io::Result<()> {
        let candidate =
            Candidate { library: "libonnxruntime.so".into(), execution: Execution::BASELINE };
        super::store(file, &"mini".parse().unwrap(), &[(fingerprint(number), &candidate, figures)])
    }

    #[test]
    fn figures_are_found_by_fingerprint_and_the_oldest_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/trials.toml");
        assert_eq!(load(&file, &fingerprint(0)), None);
        for number in 0..=MAX_ENTRIES {
            store(&file, number, Figures { speed: number as f64, ..FIGURES }).unwrap();
        }
        assert_eq!(load(&file, &fingerprint(0)), None);
        assert_eq!(
            load(&file, &fingerprint(MAX_ENTRIES)),
            Some(Figures { speed: MAX_ENTRIES as f64, ..FIGURES })
        );
        let silent = Figures { snr_db: f64::INFINITY, ..FIGURES };
        store(&file, 1, silent).unwrap();
        assert_eq!(load(&file, &fingerprint(1)), Some(silent));
        assert!(
            load(&file, &fingerprint(2)).is_some(),
            "only the older entry of the same fingerprint is replaced"
        );
        fs::write(&file, "not TOML").unwrap();
        assert_eq!(load(&file, &fingerprint(1)), None);
        store(&file, 1, FIGURES).unwrap();
        assert_eq!(load(&file, &fingerprint(1)), Some(FIGURES));
        let names =
            fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, [".trials.lock", "trials.toml"], "temporary files are left");
    }

    #[test]
    fn the_fastest_exact_execution_is_shown_by_its_newest_entry() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trials.toml");
        assert_eq!(fastest(&file, &"mini".parse().unwrap()), None);
        store(&file, 1, Figures { speed: 3.0, ..FIGURES }).unwrap();
        store(&file, 2, FIGURES).unwrap();
        let found = fastest(&file, &"mini".parse().unwrap()).unwrap().to_string();
        assert_eq!(found, "cpu f32 is 1.50 times as fast as cpu f32");
        assert_eq!(fastest(&file, &"htdemucs".parse().unwrap()), None);
        store(&file, 2, Figures { snr_db: 50.0, ..FIGURES }).unwrap();
        assert_eq!(fastest(&file, &"mini".parse().unwrap()), None);
    }

    #[test]
    fn entries_of_another_version_are_preserved() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trials.toml");
        store(&file, 1, FIGURES).unwrap();
        let theirs = "[[trial]]\nkey = \"a song\"\nexecution = { provider = \"abacus\" }\n";
        let mine = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("order = \"alphabetical\"\n{theirs}{mine}[later]\nx = 1\n"))
            .unwrap();
        assert_eq!(load(&file, &fingerprint(1)), Some(FIGURES));
        store(&file, 2, FIGURES).unwrap();
        assert_eq!(load(&file, &fingerprint(1)), Some(FIGURES));
        assert_eq!(load(&file, &fingerprint(2)), Some(FIGURES));
        let table: Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        assert_eq!(table["trial"][0]["execution"]["provider"].as_str(), Some("abacus"));
        assert_eq!(table["order"].as_str(), Some("alphabetical"));
        assert_eq!(table["later"]["x"].as_integer(), Some(1));
    }

    /// As in two containers whose processes have the same id.
    #[test]
    fn concurrent_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trials.toml");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let file = &file;
                scope.spawn(move || {
                    for turn in 0..50 {
                        store(file, 4 * turn + writer, FIGURES).unwrap();
                        let text = fs::read_to_string(file).unwrap();
                        assert!(text.parse::<Table>().is_ok_and(|table| !table.is_empty()));
                    }
                });
            }
        });
        let lost: Vec<_> =
            (0..200).filter(|&number| load(&file, &fingerprint(number)).is_none()).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("stemwire");
        fs::write(&blocked, "a file").unwrap();
        assert!(store(&blocked.join("trials.toml"), 1, FIGURES).is_err());
    }
}
