//! The figures so far, in a file.
//!
//! Each candidate's are kept by themselves, under a key of all that they depend on. What other versions have
//! written there is left as it is.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{Candidate, Figures};
use crate::model::{ModelName, Sha256Hash};

/// Entries that are kept; the oldest goes first.
const MOST: usize = 256;

/// The entries' name in the file.
const ENTRIES: &str = "trial";

/// An entry, as it is written: with what people want to read.
#[derive(Serialize)]
struct Entry<'a> {
    key: Sha256Hash,
    model: &'a str,
    execution: String,
    library: String,
    speed: f64,
    snr_db: f64,
}

/// An entry, as it is understood.
#[derive(Deserialize)]
struct Known {
    key: Sha256Hash,
    speed: f64,
    snr_db: f64,
}

impl Known {
    fn of(entry: &Value) -> Option<Known> {
        entry.clone().try_into().ok()
    }
}

/// The figures under that key.
pub(super) fn recall(file: &Path, key: &Sha256Hash) -> Option<Figures> {
    let known =
        entries(&read(file)).iter().filter_map(Known::of).find(|known| known.key == *key)?;
    Some(Figures { speed: known.speed, snr_db: known.snr_db })
}

/// Keeps what `candidates` have done with `model`.
///
/// # Errors
/// The file cannot be written; what it would hold is then found out again.
pub(super) fn keep(
    file: &Path,
    model: &ModelName,
    candidates: &[(Sha256Hash, &Candidate, Figures)],
) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let _turn = take_turn(folder);
    let mut table = read(file);
    let mut entries = entries(&table);
    for (key, Candidate { library, execution }, Figures { speed, snr_db }) in candidates {
        entries.retain(|entry| Known::of(entry).is_none_or(|known| known.key != *key));
        let entry = Entry {
            key: *key,
            model: model.as_str(),
            execution: execution.to_string(),
            library: library.display().to_string(),
            speed: *speed,
            snr_db: *snr_db,
        };
        entries.push(Value::try_from(entry).map_err(io::Error::other)?);
    }
    let surplus = entries.len().saturating_sub(MOST);
    entries.drain(..surplus);
    table.insert(ENTRIES.to_owned(), Value::Array(entries));
    write(folder, file, &toml::to_string(&table).map_err(io::Error::other)?)
}

/// Waits until no other process is between reading the file and replacing it, so that neither loses what the other
/// has found out. Not for long: one that stands still there costs an entry at most, which is found out again.
fn take_turn(folder: &Path) -> Option<File> {
    const PAUSE: Duration = Duration::from_millis(20);
    const PAUSES: usize = 500;
    let lock = File::create(folder.join(".trials.lock")).ok()?;
    for _ in 0..PAUSES {
        match lock.try_lock() {
            Ok(()) => return Some(lock),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(_)) => break,
        }
    }
    None
}

fn entries(table: &Table) -> Vec<Value> {
    table.get(ENTRIES).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// What is there; nothing where that is no TOML.
fn read(file: &Path) -> Table {
    fs::read_to_string(file).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Replaces the file as a whole: another process may be reading it.
fn write(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    let mut part = tempfile::Builder::new();
    part.prefix(".trials.").suffix(".part");
    // As any other file, whose readers are for the umask to choose.
    #[cfg(unix)]
    part.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut part = part.tempfile_in(folder)?;
    io::Write::write_all(&mut part, text.as_bytes())?;
    part.persist(file).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Execution;

    const FIGURES: Figures = Figures { speed: 1.5, snr_db: 98.25 };

    fn key(number: usize) -> Sha256Hash {
        Sha256Hash::of(&number.to_le_bytes())
    }

    fn keep(file: &Path, number: usize, figures: Figures) -> io::Result<()> {
        let candidate =
            Candidate { library: "libonnxruntime.so".into(), execution: Execution::REFERENCE };
        super::keep(file, &"mini".parse().unwrap(), &[(key(number), &candidate, figures)])
    }

    #[test]
    fn figures_are_recalled_by_their_key_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/trials.toml");
        assert_eq!(recall(&file, &key(0)), None);
        for number in 0..=MOST {
            keep(&file, number, Figures { speed: number as f64, ..FIGURES }).unwrap();
        }
        assert_eq!(recall(&file, &key(0)), None);
        assert_eq!(recall(&file, &key(MOST)), Some(Figures { speed: MOST as f64, ..FIGURES }));
        let silent = Figures { snr_db: f64::INFINITY, ..FIGURES };
        keep(&file, 1, silent).unwrap();
        assert_eq!(recall(&file, &key(1)), Some(silent));
        assert!(recall(&file, &key(2)).is_some(), "it has replaced its older self alone");
        fs::write(&file, "no memory").unwrap();
        assert_eq!(recall(&file, &key(1)), None);
        keep(&file, 1, FIGURES).unwrap();
        assert_eq!(recall(&file, &key(1)), Some(FIGURES));
        let names =
            fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, [".trials.lock", "trials.toml"], "parts are left");
    }

    #[test]
    fn what_another_version_has_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trials.toml");
        keep(&file, 1, FIGURES).unwrap();
        let theirs = "[[trial]]\nkey = \"a song\"\nexecution = { provider = \"abacus\" }\n";
        let mine = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("order = \"alphabetical\"\n{theirs}{mine}[later]\nx = 1\n"))
            .unwrap();
        assert_eq!(recall(&file, &key(1)), Some(FIGURES));
        keep(&file, 2, FIGURES).unwrap();
        assert_eq!(recall(&file, &key(1)), Some(FIGURES));
        assert_eq!(recall(&file, &key(2)), Some(FIGURES));
        let table: Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        assert_eq!(table["trial"][0]["execution"]["provider"].as_str(), Some("abacus"));
        assert_eq!(table["order"].as_str(), Some("alphabetical"));
        assert_eq!(table["later"]["x"].as_integer(), Some(1));
    }

    /// As two containers do, whose processes have the same number.
    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trials.toml");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let file = &file;
                scope.spawn(move || {
                    for turn in 0..50 {
                        keep(file, 4 * turn + writer, FIGURES).unwrap();
                        let text = fs::read_to_string(file).unwrap();
                        assert!(text.parse::<Table>().is_ok_and(|table| !table.is_empty()));
                    }
                });
            }
        });
        let lost: Vec<_> =
            (0..200).filter(|&number| recall(&file, &key(number)).is_none()).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_far_as_they_may_read_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (file, any) = (folder.path().join("trials.toml"), folder.path().join("any"));
        keep(&file, 1, FIGURES).unwrap();
        fs::write(&any, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&any));
    }

    #[test]
    fn what_cannot_be_kept_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("stemwire");
        fs::write(&blocked, "a file").unwrap();
        assert!(keep(&blocked.join("trials.toml"), 1, FIGURES).is_err());
    }
}
