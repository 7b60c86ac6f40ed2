//! The YAML file beside a checkpoint, as Music-Source-Separation-Training has it: `audio`, `model`, `training`, `inference`.
//!
//! Its tuples (`!!python/tuple`) are read as lists; other tags of Python, which name objects, are refused.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

/// Largest file that is read; the published ones have 4 kB.
const MAX_BYTES: u64 = 256 << 10;
/// Most values, also those that aliases repeat.
const MAX_VALUES: usize = 20_000;
/// How deeply lists and maps may be nested.
const MAX_DEPTH: usize = 16;
/// Most aliases.
const MAX_ALIASES: usize = 100;

/// A configuration that has been parsed.
#[derive(Debug)]
pub(crate) struct Configuration {
    sections: Map<String, Value>,
}

impl Configuration {
    /// Reads a file.
    ///
    /// # Errors
    /// The first fault, in words.
    pub(crate) fn read(path: &Path) -> Result<Configuration, String> {
        let mut text = String::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        Configuration::parse(&text)
    }

    /// Parses a text.
    ///
    /// # Errors
    /// The first fault, in words.
    pub(crate) fn parse(text: &str) -> Result<Configuration, String> {
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("the configuration has more than {MAX_BYTES} bytes"));
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_documents: 1,
                max_depth: MAX_DEPTH,
                max_nodes: MAX_VALUES,
                max_events: 2 * MAX_VALUES,
                max_aliases: MAX_ALIASES,
                max_anchors: MAX_ALIASES,
            },
            alias_limits: serde_saphyr::alias_limits! {
                max_total_replayed_events: MAX_VALUES,
                max_replay_stack_depth: MAX_DEPTH,
            },
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        let text = text.replace("!!python/tuple", "!!seq");
        let value: Value = serde_saphyr::from_str_with_options(&text, options)
            .map_err(|error| format!("not a configuration in YAML: {error}"))?;
        match value {
            Value::Object(sections) => Ok(Configuration { sections }),
            _ => Err("the configuration has no sections".into()),
        }
    }

    /// A section, such as `model`.
    ///
    /// # Errors
    /// That it is missing, in words.
    pub(crate) fn section(&self, name: &str) -> Result<&Map<String, Value>, String> {
        let section = self.sections.get(name).and_then(Value::as_object);
        section.ok_or_else(|| format!("the configuration has no section {name}"))
    }

    /// The name and the value of the argument that gives the frames of a segment, as in Music-Source-Separation-Training: that
    /// of `inference`, or else that of `audio`.
    pub(crate) fn chunk_size(&self) -> (&'static str, Option<&Value>) {
        let given = |section: &str| self.section(section).ok().and_then(|of| of.get("chunk_size"));
        match given("inference") {
            Some(value) => ("inference.chunk_size", Some(value)),
            None => ("audio.chunk_size", given("audio")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_with_the_tuples_of_python() {
        let text =
            "model:\n  a: !!python/tuple\n  - 1\n  - 2\n  b: !!python/tuple [3]\n  c: 1.0e-05\n";
        let configuration = Configuration::parse(text).unwrap();
        let model = Value::Object(configuration.section("model").unwrap().clone());
        assert_eq!(model, serde_json::json!({"a": [1, 2], "b": [3], "c": 1e-5}));
        assert!(configuration.section("audio").unwrap_err().contains("no section audio"));
    }

    #[test]
    fn segments_are_as_long_as_separation_asks_for() {
        let chunk = |text: &str| {
            let configuration = Configuration::parse(text).unwrap();
            let (name, value) = configuration.chunk_size();
            (name, value.cloned())
        };
        let audio = "audio:\n  chunk_size: 1\ninference:\n  num_overlap: 2\n";
        let both = format!("{audio}  chunk_size: 3\n");
        assert_eq!(chunk(audio), ("audio.chunk_size", Some(1.into())));
        assert_eq!(chunk(&both), ("inference.chunk_size", Some(3.into())));
        assert_eq!(chunk("audio: {}"), ("audio.chunk_size", None));
    }

    #[test]
    fn what_is_no_plain_configuration_is_refused() {
        let bomb = (1..20).fold("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned(), |text, level| {
            let aliases = vec![format!("*a{}", level - 1); 4].join(", ");
            format!("{text}a{level}: &a{level} [{aliases}]\n")
        });
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        let long = format!("a: {}", "x".repeat(MAX_BYTES as usize));
        let many = format!("a: [{}]", "1,".repeat(MAX_VALUES + 1));
        for (text, expected) in [
            ("a: !!python/object/apply:os.system ['id']", "python/object"),
            ("a: !!python/name:os.system ''", "python/name"),
            ("a: 1\na: 2", "duplicate"),
            ("a: 1\n---\nb: 2", "document"),
            ("[1]", "no sections"),
            ("a: [", "not a configuration"),
            (&bomb, "not a configuration"),
            (&deep, "not a configuration"),
            (&many, "not a configuration"),
            (&long, "more than 262144 bytes"),
        ] {
            let error = Configuration::parse(text).unwrap_err();
            let shown: String = text.chars().take(60).collect();
            assert!(error.contains(expected), "{shown}: {error}");
        }
    }
}
