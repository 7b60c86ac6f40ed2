//! The fingerprint of everything that a candidate's figures depend on.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{AutotuneConfig, Candidate};
use crate::engine::Provider;
use crate::engine::machine::Machine;
use crate::model::Sha256Hash;

/// Version of the benchmark. Raising it makes older figures invalid.
const VERSION: u32 = 2;

/// Fingerprint of the figures of `candidate` against `baseline`: changes whenever they may.
pub(super) fn of(
    baseline: &Candidate,
    candidate: &Candidate,
    config: &AutotuneConfig<'_>,
    machine: &Machine,
) -> Sha256Hash {
    let card = config.model.card();
    let mut text = format!(
        "{VERSION} {}\n{}\n{}\n{}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        card.graph.sha256,
        card.weights_hash(),
        config.threads,
        machine.processor
    );
    for Candidate { library, execution } in [baseline, candidate] {
        text += &format!("{execution} {}\n{}", library.display(), libraries_beside(library));
    }
    if candidate.execution.provider == Provider::Cuda {
        text += &machine.gpus;
    }
    Sha256Hash::of(text.as_bytes())
}

/// The library and the libraries beside it, among them its providers and their dependencies: names, sizes, times. Other
/// files do not count, because the folder may be that of the binary or one of the system's.
fn libraries_beside(library: &Path) -> String {
    let folder = library.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut files: Vec<String> = folder
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_library(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            // Follows links.
            let data = fs::metadata(entry.path()).ok()?;
            let time = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(format!("{:?} {} {time:?}\n", entry.file_name(), data.len()))
        })
        .collect();
    files.sort();
    files.concat()
}

/// Such as `libopenvino.so.2541`, `libopenvino.2541.dylib`, `onnxruntime.dll`.
fn is_library(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".so", ".dll", ".dylib"].iter().any(|ending| name.ends_with(ending)) || name.contains(".so.")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::engine::Execution;
    use crate::engine::limits::TimeLimits;
    use crate::model::AvailableModels;

    #[derive(Clone)]
    struct Case {
        folder: PathBuf,
        provider: Provider,
        model: &'static str,
        threads: usize,
        processor: &'static str,
        gpus: &'static str,
    }

    impl Case {
        fn fingerprint(&self) -> Sha256Hash {
            let autotune = AutotuneConfig {
                model: &AvailableModels::open(None).find(self.model).unwrap(),
                threads: self.threads,
                limits: TimeLimits::default(),
                command: &|_| Command::new("false"),
                may_start: &|| true,
                cache_file: None,
                on_cache_error: &|_| {},
            };
            let candidate = |folder: &str, execution| Candidate {
                library: self.folder.join(folder).join("libonnxruntime.so.1.31.1"),
                execution,
            };
            let machine =
                Machine { processor: self.processor.to_owned(), gpus: self.gpus.to_owned() };
            let other = candidate("other", Execution::exact(self.provider));
            of(&candidate("cpu", Execution::BASELINE), &other, &autotune, &machine)
        }
    }

    #[test]
    fn the_fingerprint_changes_when_a_dependency_changes_and_only_then() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().to_owned();
        for name in ["cpu/libonnxruntime.so.1.31.1", "other/libopenvino.so.2541"] {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), "library").unwrap();
        }
        let case = Case {
            folder: folder.clone(),
            provider: Provider::Openvino,
            model: "mini",
            threads: 2,
            processor: "x86_64 a 2",
            gpus: "none",
        };
        let before = case.fingerprint();
        for other in ["stemwire", "stemwire.d", "LICENSE", "libstemwire.rlib", "notes.sort"] {
            fs::write(folder.join("other").join(other), "something else").unwrap();
        }
        assert_eq!(case.fingerprint(), before);
        assert_eq!(
            Case { gpus: "two", ..case.clone() }.fingerprint(),
            before,
            "the CPU uses no GPU"
        );
        let cuda = Case { provider: Provider::Cuda, ..case.clone() };
        for (what, changed, before) in [
            ("provider", cuda.clone(), before),
            ("GPUs", Case { gpus: "two", ..cuda.clone() }, cuda.fingerprint()),
            ("model", Case { model: "mini-spleeter", ..case.clone() }, before),
            ("threads", Case { threads: 1, ..case.clone() }, before),
            ("processor", Case { processor: "x86_64 b 2", ..case.clone() }, before),
        ] {
            assert_ne!(changed.fingerprint(), before, "{what}");
        }
        let mut before = before;
        for (name, text) in [
            ("other/libopenvino.so.2541", "another library"),
            ("other/libtbb.so.12", "one more"),
            ("cpu/libonnxruntime.so.1.31.1", "the reference's"),
        ] {
            fs::write(folder.join(name), text).unwrap();
            assert_ne!(case.fingerprint(), before, "{name}");
            before = case.fingerprint();
        }
        let file = fs::File::options().write(true).open(folder.join("other/libtbb.so.12")).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        assert_ne!(case.fingerprint(), before, "written at another time");
    }
}
