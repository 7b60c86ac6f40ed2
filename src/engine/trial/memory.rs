//! The verdicts so far, in a file.
//!
//! A verdict holds as long as all that it depends on is the same: the libraries, the model, the processor,
//! the GPUs, the threads, and what was asked for.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::{Bench, Candidate, Figures, Tried, Verdict};
use crate::engine::Sha256Hash;

/// Rises when trials change, so that older verdicts are forgotten.
const FORM: u32 = 1;

/// Verdicts that are kept; the oldest goes first.
const MOST: usize = 64;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    #[serde(default)]
    verdict: Vec<Kept>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    key: Sha256Hash,
    reason: String,
    chosen: Candidate,
    tried: Vec<KeptTrial>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptTrial {
    candidate: Candidate,
    figures: Figures,
}

/// What a verdict depends on.
pub(super) fn key(
    reference: &Candidate,
    candidates: &[Candidate],
    bench: &Bench<'_>,
) -> Sha256Hash {
    let card = bench.model.card();
    let mut text =
        format!("{FORM}\n{}\n{}\n{}\n", card.graph.sha256, card.weights_hash(), bench.threads);
    for Candidate { library, execution } in [reference].into_iter().chain(candidates) {
        text += &format!("{execution} {}\n", library.display());
        // Its neighbours are the providers' libraries.
        let folder = library.parent().and_then(|folder| fs::read_dir(folder).ok());
        let mut files: Vec<String> = folder
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains("onnxruntime"))
            .filter_map(|entry| {
                let data = entry.metadata().ok()?;
                let time = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
                Some(format!("{:?} {} {time:?}\n", entry.file_name(), data.len()))
            })
            .collect();
        files.sort();
        text += &files.concat();
    }
    text += &processor();
    text += &gpus();
    Sha256Hash::of(text.as_bytes())
}

/// The processor's name, where the system tells it in a file, and how many of it there are.
fn processor() -> String {
    let table = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = table.lines().find(|line| line.starts_with("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} {name} {cores}\n", std::env::consts::ARCH)
}

/// NVIDIA's GPUs and their driver, where the system tells of them in files.
fn gpus() -> String {
    let driver = Path::new("/proc/driver/nvidia");
    let mut text = fs::read_to_string(driver.join("version")).unwrap_or_default();
    for entry in fs::read_dir(driver.join("gpus")).into_iter().flatten().flatten() {
        let information = fs::read_to_string(entry.path().join("information")).unwrap_or_default();
        text.extend(information.lines().filter(|line| line.starts_with("Model")));
    }
    text
}

/// The verdict of that key, if it is known and its library is still there.
pub(super) fn recall(file: &Path, key: &Sha256Hash) -> Option<Verdict> {
    let kept = read(file).verdict.into_iter().find(|kept| kept.key == *key)?;
    let tried = |KeptTrial { candidate, figures }| Tried { candidate, result: Ok(figures) };
    kept.chosen.library.is_file().then(|| Verdict {
        chosen: kept.chosen,
        reason: kept.reason,
        tried: kept.tried.into_iter().map(tried).collect(),
        recalled: true,
    })
}

/// Keeps a verdict. What cannot be written is found out again next time.
pub(super) fn keep(file: &Path, key: &Sha256Hash, verdict: &Verdict) {
    let mut memory = read(file);
    memory.verdict.retain(|kept| kept.key != *key);
    let tried = |tried: &Tried| {
        let figures = *tried.result.as_ref().ok()?;
        Some(KeptTrial { candidate: tried.candidate.clone(), figures })
    };
    memory.verdict.push(Kept {
        key: *key,
        reason: verdict.reason.clone(),
        chosen: verdict.chosen.clone(),
        tried: verdict.tried.iter().filter_map(tried).collect(),
    });
    let surplus = memory.verdict.len().saturating_sub(MOST);
    memory.verdict.drain(..surplus);
    if let Err(error) = write(file, &memory) {
        tracing::debug!(%error, file = %file.display(), "a verdict on providers is not kept");
    }
}

fn read(file: &Path) -> Memory {
    fs::read_to_string(file).ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
}

/// Replaces the file as a whole: another process may be reading it.
fn write(file: &Path, memory: &Memory) -> std::io::Result<()> {
    let text = toml::to_string(memory).map_err(std::io::Error::other)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = file.with_extension(format!("{}.part", std::process::id()));
    fs::write(&part, text)?;
    fs::rename(&part, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Execution;

    #[test]
    fn verdicts_are_recalled_by_their_key_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/trials.toml");
        let library = folder.path().join("library");
        fs::write(&library, "").unwrap();
        let key = |number: usize| Sha256Hash::of(&number.to_le_bytes());
        assert_eq!(recall(&file, &key(0)), None);
        let candidate = Candidate { library: library.clone(), execution: Execution::REFERENCE };
        let verdict = |number: usize| Verdict {
            chosen: candidate.clone(),
            reason: number.to_string(),
            tried: vec![Tried { candidate: candidate.clone(), result: Ok(Figures::REFERENCE) }],
            recalled: true,
        };
        for number in 0..=MOST {
            keep(&file, &key(number), &verdict(number));
        }
        assert_eq!(recall(&file, &key(0)), None);
        assert_eq!(recall(&file, &key(MOST)), Some(verdict(MOST)));
        fs::remove_file(&library).unwrap();
        assert_eq!(recall(&file, &key(MOST)), None, "its library has gone");
        fs::write(&file, "no memory").unwrap();
        fs::write(&library, "").unwrap();
        assert_eq!(recall(&file, &key(MOST)), None);
        keep(&file, &key(1), &verdict(1));
        assert_eq!(recall(&file, &key(1)), Some(verdict(1)));
    }
}
