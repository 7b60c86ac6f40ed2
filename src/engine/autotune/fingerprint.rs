//! What a candidate's figures depend on.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{Bench, Candidate};
use crate::engine::Provider;
use crate::model::Sha256Hash;

/// Rises when trials change, so that older figures are forgotten.
const FORM: u32 = 2;

/// What is there to compute with.
#[derive(Debug)]
pub(super) struct Machine {
    processor: String,
    gpus: String,
}

impl Machine {
    /// This one, as this process may use it.
    pub(super) fn this() -> Machine {
        let table = fs::read_to_string("/proc/cpuinfo").ok();
        Machine {
            processor: processor(table.as_deref(), std::env::var_os("PROCESSOR_IDENTIFIER")),
            gpus: gpus(Path::new("/proc/driver/nvidia"), std::env::var_os("CUDA_VISIBLE_DEVICES")),
        }
    }
}

/// The same as long as the figures of `candidate` against `reference` are.
pub(super) fn key(
    reference: &Candidate,
    candidate: &Candidate,
    bench: &Bench<'_>,
    machine: &Machine,
) -> Sha256Hash {
    let card = bench.model.card();
    let mut text = format!(
        "{FORM} {}\n{}\n{}\n{}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        card.graph.sha256,
        card.weights_hash(),
        bench.threads,
        machine.processor
    );
    for Candidate { library, execution } in [reference, candidate] {
        text += &format!("{execution} {}\n{}", library.display(), libraries_beside(library));
    }
    if candidate.execution.provider == Provider::Cuda {
        text += &machine.gpus;
    }
    Sha256Hash::of(text.as_bytes())
}

/// The library and its neighbours, among which are its providers and what those need. Only libraries count: the
/// folder may be that of the binary, or one of the system's.
fn libraries_beside(library: &Path) -> String {
    let folder = library.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut files: Vec<String> = folder
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_library(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            // Of a link, what it leads to.
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

/// The processor by the system's table, else by Windows' variable, and how many of it there are.
fn processor(table: Option<&str>, identifier: Option<OsString>) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let name: String = match table {
        // ARM's has numbers instead of a name.
        Some(table) => ["model name", "CPU implementer", "CPU part"]
            .iter()
            .filter_map(|what| table.lines().find(|line| line.starts_with(what)))
            .collect(),
        None => identifier.unwrap_or_default().to_string_lossy().into_owned(),
    };
    format!("{} {name} {cores}", std::env::consts::ARCH)
}

/// NVIDIA's GPUs and their driver, where the system tells of them in files, and which of them may be used.
fn gpus(driver: &Path, visible: Option<OsString>) -> String {
    let mut text = fs::read_to_string(driver.join("version")).unwrap_or_default();
    for entry in fs::read_dir(driver.join("gpus")).into_iter().flatten().flatten() {
        let information = fs::read_to_string(entry.path().join("information")).unwrap_or_default();
        text.extend(information.lines().filter(|line| line.starts_with("Model")));
    }
    format!("{text}{visible:?}\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::engine::Execution;
    use crate::engine::pool::TimeLimits;
    use crate::model::Catalog;

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
        fn key(&self) -> Sha256Hash {
            let bench = Bench {
                model: &Catalog::open(None).find(self.model).unwrap(),
                threads: self.threads,
                limits: TimeLimits::default(),
                command: &|_| Command::new("false"),
                begin: &|| true,
                memory: None,
                unkept: &|_| {},
            };
            let of = |folder: &str, execution| Candidate {
                library: self.folder.join(folder).join("libonnxruntime.so.1.31.1"),
                execution,
            };
            let machine =
                Machine { processor: self.processor.to_owned(), gpus: self.gpus.to_owned() };
            let candidate = of("other", Execution::exact(self.provider));
            key(&of("cpu", Execution::REFERENCE), &candidate, &bench, &machine)
        }
    }

    #[test]
    fn figures_are_forgotten_when_what_they_depend_on_changes_and_only_then() {
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
        let key = case.key();
        for other in ["stemwire", "stemwire.d", "LICENSE", "libstemwire.rlib", "notes.sort"] {
            fs::write(folder.join("other").join(other), "something else").unwrap();
        }
        assert_eq!(case.key(), key);
        assert_eq!(Case { gpus: "two", ..case.clone() }.key(), key, "it uses none");
        let cuda = Case { provider: Provider::Cuda, ..case.clone() };
        for (what, changed, before) in [
            ("provider", cuda.clone(), key),
            ("GPUs", Case { gpus: "two", ..cuda.clone() }, cuda.key()),
            ("model", Case { model: "mini-spleeter", ..case.clone() }, key),
            ("threads", Case { threads: 1, ..case.clone() }, key),
            ("processor", Case { processor: "x86_64 b 2", ..case.clone() }, key),
        ] {
            assert_ne!(changed.key(), before, "{what}");
        }
        let mut before = key;
        for (name, text) in [
            ("other/libopenvino.so.2541", "another library"),
            ("other/libtbb.so.12", "one more"),
            ("cpu/libonnxruntime.so.1.31.1", "the reference's"),
        ] {
            fs::write(folder.join(name), text).unwrap();
            assert_ne!(case.key(), before, "{name}");
            before = case.key();
        }
        let file = fs::File::options().write(true).open(folder.join("other/libtbb.so.12")).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        assert_ne!(case.key(), before, "written at another time");
    }

    #[test]
    fn a_processor_is_told_by_the_table_or_by_the_variable() {
        let told = |table, identifier: &str| processor(table, Some(identifier.into()));
        assert_ne!(told(Some("model name\t: a\n"), ""), told(Some("model name\t: b\n"), ""));
        assert_ne!(told(Some("CPU part\t: 0xd0c\n"), ""), told(Some("CPU part\t: 0xd40\n"), ""));
        assert_eq!(told(Some("model name\t: a\n"), "x"), told(Some("model name\t: a\n"), "y"));
        assert_ne!(told(None, "x"), told(None, "y"));
    }

    #[test]
    fn gpus_are_told_with_their_driver_and_which_are_visible() {
        let root = tempfile::tempdir().unwrap();
        let told = |visible: Option<&str>| gpus(root.path(), visible.map(OsString::from));
        let mut before = told(None);
        for (name, text) in [("version", "580"), ("gpus/0/information", "Model: \t H100\nIRQ: 1")] {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
            assert_ne!(told(None), before, "{name}");
            before = told(None);
        }
        fs::write(root.path().join("gpus/0/information"), "Model: \t H100\nIRQ: 2").unwrap();
        assert_eq!(told(None), before);
        assert_ne!(told(Some("0")), before);
        assert_ne!(told(Some("0")), told(Some("1")));
        assert_ne!(told(Some("")), before, "none is visible");
    }
}
