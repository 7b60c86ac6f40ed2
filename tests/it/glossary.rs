//! Holds the vocabulary: names and phrases that were retired do not come back.

use std::fs;
use std::path::{Path, PathBuf};

/// Retired names of types, functions, modules, options, metrics and log fields, with the term to use.
const NAMES: &[(&str, &str)] = &[
    ("Desk", "Scheduler"),
    ("Places", "slots"),
    ("janitor", "maintenance"),
    ("Roster", "Dispatcher"),
    ("hire", "spawn_worker"),
    ("hired", "spawned"),
    ("dismissed", "abandoned"),
    ("Flight", "InFlight"),
    ("Turn", "EngineSpan"),
    ("stumble", "retry, switch engine"),
    ("hand_on", "switch_engine"),
    ("picks", "stem recipes"),
    ("contest", "benchmark"),
    ("contestant", "candidate"),
    ("contestants", "candidates"),
    ("verdict", "decision"),
    ("Verdict", "decision"),
    ("unkept", "cache error"),
    ("forsaken", "outcome"),
    ("told", "a verb that says what happens: reported, logged, sent"),
    ("Told", "EventCursor"),
    ("Wish", "download options"),
    ("Wanted", "a name for what it holds"),
    ("Patience", "Backoff, time limit"),
    ("trial-time", "autotune-time"),
];

/// Names that were retired in Rust and are ordinary words elsewhere.
const NAMES_IN_RUST: &[(&str, &str)] = &[
    ("Player", "ActiveEngine"),
    ("Bench", "autotune"),
    ("Ground", "a name for what it holds"),
    ("Stage", "TestEnvironment"),
    ("Script", "FakeEngine"),
];

/// Retired phrases, with what to write.
const PHRASES: &[(&str, &str)] = &[
    ("whoever", "name the client, user or thread"),
    ("somebody", "name the client, user or thread"),
    ("nobody", "no client, no user"),
    ("everybody", "all clients, any user"),
    ("goes on", "continues"),
    ("go on", "continue"),
    ("of no use", "useless, without effect"),
    ("looks after", "handles, supervises"),
    ("looked after", "handled, supervised"),
    ("is told", "is reported, receives"),
    ("are told", "are reported, receive"),
    ("is let", "is allowed"),
    ("in its place", "instead"),
    ("left its place", "released its slot"),
    ("the disk says", "I/O errors"),
    ("the system says", "the system error"),
    ("the disk or the system", "I/O errors"),
    ("shorter ones within", "bf16 or TF32"),
    ("who wins", "selects"),
    ("session rests", "session is paused"),
    ("resting", "paused"),
    ("as long as it is let", "until it is stopped"),
];

/// What is looked at, below the root of the repository.
const FOLDERS: [&str; 8] = ["src", "proto", "tests", "clients", "docs", "models", ".cargo", ".ci"];
const FILES: [&str; 4] = ["README.md", "Cargo.toml", "Makefile", "build.rs"];
const EXTENSIONS: [&str; 12] =
    ["rs", "py", "pyi", "proto", "md", "ts", "tsx", "js", "css", "html", "toml", "yaml"];

/// Frozen or generated files, and this one. 0.1.0's own words are kept with it.
const EXCEPTIONS: [&str; 11] = [
    "tests/it/glossary.rs",
    "tests/compat/0.1.0",
    "tests/bench/results.json",
    "clients/node_modules",
    "clients/package-lock.json",
    "clients/rust/src/generated",
    "clients/typescript/build",
    "clients/typescript/dist",
    "clients/typescript/src/generated",
    "clients/web/dist",
    "tests/fuzz/target",
];

fn collect(path: &Path, root: &Path, found: &mut Vec<PathBuf>) {
    let below = path.strip_prefix(root).unwrap();
    if EXCEPTIONS.iter().any(|exception| below.starts_with(exception)) {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), root, found);
        }
    } else if path.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known))
        || FILES.iter().any(|file| below == Path::new(file))
    {
        found.push(path.to_owned());
    }
}

/// The positions of `term` in `text` where it is a word or words of its own.
fn occurrences<'a>(text: &'a str, term: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(term).map(|(at, _)| at).filter(move |&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + term.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn findings(path: &str, text: &str) -> Vec<String> {
    // Comments break lines within phrases.
    let lower = text.to_lowercase();
    let line = |at: usize| 1 + text[..at].bytes().filter(|&b| b == b'\n').count();
    let found = |at: usize, term: &str, instead: &str| {
        format!("{path}:{}: {term:?}; write: {instead}", line(at.min(text.len())))
    };
    let in_rust = NAMES_IN_RUST.iter().filter(|_| path.ends_with(".rs"));
    let names = NAMES.iter().chain(in_rust).flat_map(|(term, instead)| {
        occurrences(text, term).map(|at| found(at, term, instead)).collect::<Vec<_>>()
    });
    let phrases = PHRASES.iter().flat_map(|(term, instead)| {
        occurrences(&lower, term).map(|at| found(at, term, instead)).collect::<Vec<_>>()
    });
    names.chain(phrases).collect()
}

#[test]
fn retired_names_and_phrases_occur_nowhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for name in FOLDERS.iter().chain(&FILES) {
        let path = root.join(name);
        if path.exists() {
            collect(&path, root, &mut paths);
        }
    }
    assert!(paths.len() > 300, "only {} files were found", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let below = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        wrong.extend(findings(&below, &text));
    }
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_glossary_finds_words_and_not_parts_of_words() {
    let places = findings("src/a.rs", "struct Player;\n// Nobody is told of untold\nPlayers");
    assert_eq!(places.len(), 4, "{places:?}");
    assert!(places[0].contains("src/a.rs:2") && places[0].contains("told"), "{places:?}");
    assert!(findings("clients/a.ts", "class Player {}").is_empty());
}
