//! Stored inputs of the fuzz targets (tests/fuzz/seeds, tests/fuzz/regressions) cause no panic, hang or large allocation.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use stemwire::fuzzing::{TARGETS, run};

use crate::support::mutate::{Random, mutate};
use crate::support::process::in_own_process;

/// Time limit per input: a longer time is a hang on any machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Address space of the process. The targets take less than a tenth of it.
#[cfg(target_os = "linux")]
const MAX_BYTES: u64 = 4 << 30;

#[test]
fn stored_fuzz_inputs_do_no_harm() {
    in_own_process(module_path!(), "stored_fuzz_inputs_do_no_harm", replay);
}

#[test]
fn every_fuzz_target_has_seeds_and_a_binary() {
    let folder = folder();
    for (target, _) in TARGETS {
        assert!(!files(&folder.join("seeds").join(target)).is_empty(), "{target} has no seeds");
        let source = folder.join("fuzz_targets").join(format!("{target}.rs"));
        let source = fs::read_to_string(source).unwrap();
        assert!(source.contains(&format!("run(\"{target}\"")), "{target} runs another target");
    }
    for kind in ["seeds", "regressions"] {
        for path in files(&folder.join(kind)) {
            let name = path.file_name().unwrap();
            assert!(TARGETS.iter().any(|(target, _)| name == *target), "{name:?} is no target");
        }
    }
}

#[test]
fn mutated_pytorch_files_do_no_harm() {
    in_own_process(module_path!(), "mutated_pytorch_files_do_no_harm", || {
        limit_memory();
        // Whole files, and pickles that the target wraps into a valid archive.
        for path in files(&folder().join("seeds/pytorch")) {
            let (original, mut random) = (fs::read(path).unwrap(), Random(18));
            for _ in 0..200 {
                run("pytorch", &mutate(&original, &mut random));
            }
        }
    });
}

fn replay() {
    limit_memory();
    // Without a buffer, so that the last path received is the one that runs.
    let (started, inputs) = sync_channel(0);
    let replaying = thread::spawn(move || {
        for (target, _) in TARGETS {
            for kind in ["seeds", "regressions"] {
                for path in files(&folder().join(kind).join(target)) {
                    started.send(path.clone()).unwrap();
                    run(target, &fs::read(&path).unwrap());
                }
            }
        }
    });
    let mut last = PathBuf::new();
    loop {
        match inputs.recv_timeout(PATIENCE) {
            // Printed before it runs: an allocation that fails ends the process.
            Ok(path) => {
                println!("{}", path.display());
                last = path;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("{} does not end", last.display()),
        }
    }
    assert!(replaying.join().is_ok(), "{} makes its reader panic", last.display());
}

/// Makes an allocation beyond the limit fail, so that it ends the process.
fn limit_memory() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = Rlimit { current: Some(MAX_BYTES), maximum: Some(MAX_BYTES) };
        setrlimit(Resource::As, limit).unwrap();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The entries of a folder, by name; empty if there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
