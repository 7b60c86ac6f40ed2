//! The sources below `src`, without comments and tests, and the modules that they import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
pub struct Source {
    /// The path of its module, such as `engine/pool` for `engine/pool/mod.rs`.
    pub module: String,
    pub code: String,
}

/// All sources, and the names that modules re-export from their submodules.
pub struct Sources {
    pub all: Vec<Source>,
    modules: BTreeSet<String>,
    /// By module and name: the path below the module.
    reexports: BTreeMap<(String, String), Vec<String>>,
}

impl Sources {
    pub fn read() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        collect(&root, &mut paths);
        assert!(paths.len() > 50, "only {} sources were found", paths.len());
        let source = |path: &PathBuf| {
            let module = path.strip_prefix(&root).unwrap().with_extension("");
            let module = module.to_str().unwrap().replace('\\', "/");
            let module = module.strip_suffix("/mod").unwrap_or(&module).to_owned();
            Source { module, code: without_tests(&fs::read_to_string(path).unwrap()) }
        };
        Sources::new(paths.iter().map(source).collect())
    }

    pub fn new(all: Vec<Source>) -> Sources {
        let modules = all.iter().map(|source| source.module.clone()).collect();
        let mut reexports = BTreeMap::new();
        for Source { module, code } in &all {
            for (at, _) in code.match_indices("pub use ").chain(code.match_indices(") use ")) {
                let start = at + code[at..].find("use ").unwrap() + "use ".len();
                for mut path in paths(&code[start..]) {
                    if let Some(name) = path.pop()
                        && !path.is_empty()
                    {
                        reexports.insert((module.clone(), name), path);
                    }
                }
            }
        }
        Sources { all, modules, reexports }
    }

    /// The folders with submodules, each with their names.
    pub fn folders(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for module in &self.modules {
            let (folder, name) = module.rsplit_once('/').unwrap_or(("", module));
            folders.entry(folder).or_default().insert(name);
        }
        folders
    }

    /// The modules that a source imports, as far as they are not its own, its parents or its children.
    pub fn imports(&self, source: &Source) -> BTreeSet<String> {
        let own: Vec<&str> = source.module.split('/').collect();
        let mut found = BTreeSet::new();
        for start in ["crate::", "super::", "self::"] {
            for (at, _) in source.code.match_indices(start) {
                if source.code[..at].ends_with(|c: char| is_word(c) || c == ':') {
                    continue;
                }
                let mut rest = &source.code[at + start.len()..];
                let mut base: Vec<&str> = match start {
                    "crate::" => Vec::new(),
                    "super::" => own[..own.len() - 1].to_vec(),
                    _ => own.clone(),
                };
                while let Some(above) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = above;
                }
                let base: Vec<String> = base.into_iter().map(str::to_owned).collect();
                let targets = paths(rest).into_iter().map(|path| [&base[..], &path].concat());
                found.extend(targets.filter_map(|path| self.module_of(&path)));
            }
        }
        found.retain(|module| !is_in(module, &source.module) && !is_in(&source.module, module));
        found
    }

    /// The module that defines the last name of a path.
    fn module_of(&self, path: &[String]) -> Option<String> {
        let is_module = |length: &usize| self.modules.contains(&path[..*length].join("/"));
        let length = (1..=path.len()).take_while(is_module).last()?;
        let module = path[..length].join("/");
        let name = path.get(length).cloned().unwrap_or_default();
        match self.reexports.get(&(module.clone(), name)) {
            Some(below) => self.module_of(&[&path[..length], below, &path[length..]].concat()),
            None => Some(module),
        }
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Code without comments and without the module of unit tests.
fn without_tests(text: &str) -> String {
    let end = ["#[cfg(test)]\nmod tests {", "#[cfg(all(test, unix))]\nmod tests {"];
    let end = end.iter().filter_map(|start| text.find(start)).min();
    let code = &text[..end.unwrap_or(text.len())];
    let line = |line: &str| line.split("//").next().unwrap().to_owned();
    code.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The paths that a path with nested braces stands for, from the start of `text`.
pub fn paths(text: &str) -> Vec<Vec<String>> {
    let mut path = Vec::new();
    let mut rest = text;
    loop {
        if let Some(list) = rest.strip_prefix('{') {
            let items = items(list).into_iter().flat_map(paths);
            return items.map(|item| [&path[..], &item].concat()).collect();
        }
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if end > 0 && &rest[..end] != "self" {
            path.push(rest[..end].to_owned());
        }
        match rest[end..].strip_prefix("::") {
            Some(next) => rest = next,
            None => return vec![path],
        }
    }
}

/// The items of a list in braces, from behind its opening brace.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(list[start..at].trim());
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether `path` is `folder` or is in it.
pub fn is_in(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path == folder
        || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
