//! Holds the architecture: who may know whom, and which room knows which crate.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms and their rungs. A room imports only from rungs below its own, or from itself.
/// The longest matching path counts.
const RUNGS: [(&str, u32); 24] = [
    ("audio", 0),
    ("audio/flac", 1),
    ("audio/resample", 1),
    ("audio/wav", 1),
    ("files", 1),
    ("process", 1),
    ("decode", 2),
    ("dsp", 2),
    ("model", 3),
    ("engine", 4),
    ("session", 4),
    ("separation", 5),
    ("proto", 5),
    ("proto/reason", 0),
    ("server", 6),
    ("client", 7),
    ("cli", 8),
    ("lib", 9),
    ("main", 10),
    ("audio/mod", 9),
    ("build", 10),
    ("model/mod", 3),
    ("engine/mod", 4),
    ("files/mod", 1),
];

/// Crates that only these rooms may name.
const OWNERS: [(&str, &[&str]); 35] = [
    ("symphonia", &["decode"]),
    ("rubato", &["audio/resample"]),
    ("hound", &["audio/wav", "cli/export"]),
    ("rustfft", &["dsp"]),
    ("ort", &["engine"]),
    ("safetensors", &["engine", "model"]),
    ("half", &["engine", "model"]),
    ("toml", &["engine", "model"]),
    ("zip", &["engine/runtime", "server/rest"]),
    ("flacenc", &["audio/flac"]),
    ("prometheus_client", &["server/middleware/metrics"]),
    ("http_body_util", &["server"]),
    ("flate2", &["model"]),
    ("tar", &["model"]),
    ("crc32c", &["model"]),
    ("uuid", &["session", "server/middleware/request_id", "cli/separate"]),
    ("serde_json", &["session", "separation", "model/registry", "server/rest", "server/status"]),
    ("multer", &["server/rest"]),
    ("form_urlencoded", &["server/rest"]),
    ("percent_encoding", &["server/rest"]),
    ("http_range_header", &["server/rest"]),
    ("utoipa", &["server"]),
    ("tonic", &["server", "client", "proto"]),
    ("prost", &["server", "client", "proto", "model"]),
    ("ureq", &["model/registry/download"]),
    ("axum", &["server"]),
    ("tower", &["server"]),
    ("tower_http", &["server"]),
    ("tokio", &["server", "client", "cli"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("ctrlc", &["cli"]),
    ("tempfile", &["cli", "files"]),
    ("rustix", &["process"]),
    ("fs4", &["files"]),
];

/// Everything from this rung on may be asynchronous.
const ASYNC_FROM: u32 = 6;

/// The sources: path below `src` without `.rs`, and text without tests.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_stem().is_some_and(|name| name != "tests")
            {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() > 50, "only {} sources were found", paths.len());
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().with_extension("");
        let name = name.to_str().unwrap().replace('\\', "/");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        (name, without_comments(&code))
    };
    paths.into_iter().map(source).collect()
}

fn without_comments(code: &str) -> String {
    let line = |line: &str| line.split("//").next().unwrap().to_owned();
    code.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether `path` is `room` or lies in it.
fn is_in(path: &str, room: &str) -> bool {
    path == room || path.strip_prefix(room).is_some_and(|rest| rest.starts_with('/'))
}

fn room(path: &str) -> (&'static str, u32) {
    let rooms = RUNGS.into_iter().filter(|(room, _)| is_in(path, room));
    rooms.max_by_key(|(room, _)| room.len()).unwrap_or_else(|| panic!("{path} has no rung"))
}

/// The paths below `crate::` that a source names, as `a/b`, with braces written out one level.
fn imports(code: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let end = rest.find(|c: char| !is_word(c) && c != ':').unwrap_or(rest.len());
        let path = rest[..end].trim_end_matches(':').replace("::", "/");
        match rest[end..].strip_prefix('{') {
            Some(list) => {
                let inner = list.split('}').next().unwrap_or_default();
                let items = inner.split(',').map(|item| item.trim().replace("::", "/"));
                found.extend(items.map(|item| format!("{path}/{item}")));
            }
            None => found.push(path),
        }
    }
    found
}

#[test]
fn imports_only_go_downwards() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let (own, rung) = room(&path);
        for import in imports(&code) {
            let (other, below) = room(import.trim_start_matches('/'));
            let same = own == other || own.split('/').next() == other.split('/').next();
            // Models still name the errors of engines.
            let pending = own == "model" && other.starts_with("engine");
            if !same && !pending && below >= rung {
                wrong.push(format!("{path} (rung {rung}) imports {import} (rung {below})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_lowest_rung_knows_nothing_above_it() {
    for (path, code) in sources() {
        if room(&path) == ("audio", 0) {
            let named = ["flac", "resample", "wav"].map(|name| format!("super::{name}"));
            assert!(!named.iter().any(|name| code.contains(name)), "{path} looks upwards");
        }
    }
}

#[test]
fn every_heavy_crate_is_named_in_its_room_only() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        for (name, owners) in OWNERS {
            let names = [format!("{name}::"), format!("use {name};")];
            let is_named = names.iter().any(|text| {
                code.match_indices(text.as_str()).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                })
            });
            if is_named && !owners.iter().any(|owner| is_in(&path, owner)) {
                wrong.push(format!("{path} names {name}, which belongs to {owners:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_separation_changes_sessions() {
    // The methods of `Session` that write, by what they are called on: `Separations` has its own of the same names.
    let writes = ["session.add_bytes(", "session.finish_upload(", "session.update("];
    let permissions = ["change_state(", "take_state_writer(", "StateWriter"];
    for (path, code) in sources() {
        let owns = |module: &str| is_in(&path, module);
        let found = |names: &[&str]| names.iter().any(|name| code.contains(name));
        assert!(
            owns("session") || owns("separation") || !found(&writes),
            "{path} changes a session past `Separations`"
        );
        assert!(
            owns("session") || owns("separation/scheduler") || !found(&permissions),
            "{path} changes the state of a session past the scheduler"
        );
    }
}

#[test]
fn the_core_is_synchronous() {
    for (path, code) in sources() {
        if room(&path).1 < ASYNC_FROM {
            assert!(
                !code.contains("async fn") && !code.contains(".await"),
                "{path} is asynchronous"
            );
        }
    }
}

#[test]
fn the_checker_sees_what_it_should() {
    let code =
        without_comments("use crate::audio::{Frames, wav::A};\nx(crate::dsp::y); // crate::no");
    assert_eq!(imports(&code), ["audio/Frames", "audio/wav/A", "dsp/y"]);
    assert_eq!(room("decode/containers/mp4/mod"), ("decode", 2));
    assert!(!is_in("audiobook", "audio"));
}
