//! The hardware that measured figures depend on.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// The hardware.
#[derive(Debug)]
pub(super) struct Machine {
    /// The processor and its number of cores.
    pub(super) processor: String,
    /// NVIDIA's driver and the GPUs.
    pub(super) gpus: String,
}

impl Machine {
    /// This machine, as far as this process may use it.
    pub(super) fn this() -> Machine {
        let table = fs::read_to_string("/proc/cpuinfo").ok();
        Machine {
            processor: processor(table.as_deref(), std::env::var_os("PROCESSOR_IDENTIFIER")),
            gpus: gpus(Path::new("/proc/driver/nvidia"), std::env::var_os("CUDA_VISIBLE_DEVICES")),
        }
    }
}

/// Name of the processor, from /proc/cpuinfo or the variable of Windows, with the number of cores.
fn processor(table: Option<&str>, identifier: Option<OsString>) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let name: String = match table {
        // On ARM the table has numbers instead of a name.
        Some(table) => ["model name", "CPU implementer", "CPU part"]
            .iter()
            .filter_map(|what| table.lines().find(|line| line.starts_with(what)))
            .collect(),
        None => identifier.unwrap_or_default().to_string_lossy().into_owned(),
    };
    format!("{} {name} {cores}", std::env::consts::ARCH)
}

/// NVIDIA's driver and GPUs, as listed in /proc, and which of them are visible.
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
    use super::*;

    #[test]
    fn a_processor_is_named_by_the_table_or_by_the_variable() {
        let listed = |table, identifier: &str| processor(table, Some(identifier.into()));
        assert_ne!(listed(Some("model name\t: a\n"), ""), listed(Some("model name\t: b\n"), ""));
        assert_ne!(
            listed(Some("CPU part\t: 0xd0c\n"), ""),
            listed(Some("CPU part\t: 0xd40\n"), "")
        );
        assert_eq!(listed(Some("model name\t: a\n"), "x"), listed(Some("model name\t: a\n"), "y"));
        assert_ne!(listed(None, "x"), listed(None, "y"));
    }

    #[test]
    fn gpus_are_listed_with_their_driver_and_visibility() {
        let root = tempfile::tempdir().unwrap();
        let listed = |visible: Option<&str>| gpus(root.path(), visible.map(OsString::from));
        let mut before = listed(None);
        for (name, text) in [("version", "580"), ("gpus/0/information", "Model: \t H100\nIRQ: 1")] {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
            assert_ne!(listed(None), before, "{name}");
            before = listed(None);
        }
        fs::write(root.path().join("gpus/0/information"), "Model: \t H100\nIRQ: 2").unwrap();
        assert_eq!(listed(None), before);
        assert_ne!(listed(Some("0")), before);
        assert_ne!(listed(Some("0")), listed(Some("1")));
        assert_ne!(listed(Some("")), before, "none is visible");
    }
}
