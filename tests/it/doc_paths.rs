//! The paths that the documentation names are there.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the repository that paths begin with.
const TOPS: [&str; 6] = ["clients/", "docs/", "models/", "proto/", "src/", "tests/"];

/// What is made by builds and by users, and is not in the repository.
const MADE: [&str; 3] = ["clients/java/target", "clients/typescript/build", "tests/compat/0."];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The texts between backticks on one line that are paths.
fn paths(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./".contains(c);
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|word| word.contains('/') && word.chars().all(is_part)).collect()
}

#[test]
fn paths_in_the_documentation_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    files(&root.join("src"), &mut sources);
    files(&root.join("clients/python/src"), &mut sources);
    let sources: Vec<String> = sources
        .iter()
        .map(|path| path.to_str().unwrap().replace('\\', "/").trim_end_matches(".rs").to_owned())
        .collect();
    let is_module = |path: &str| {
        let ends = [format!("/{path}"), format!("/{path}/mod")];
        sources.iter().any(|source| ends.iter().any(|end| source.ends_with(end)))
    };
    let mut documents = vec![root.join("README.md"), root.join("clients/README.md")];
    let in_docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(in_docs.filter(|path| path.extension().is_some_and(|ext| ext == "md")));
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        // It names modules, too, by the end of their paths.
        let is_of_code = document.ends_with("docs/ARCHITECTURE.md");
        for path in paths(&text) {
            let is_made = MADE.iter().any(|made| path.starts_with(made)) || path.starts_with('/');
            let is_there = match TOPS.iter().any(|top| path.starts_with(top)) {
                true => root.join(path).exists() || root.join(format!("{path}.rs")).exists(),
                false if is_of_code => is_module(path.trim_end_matches(".rs")),
                false => continue,
            };
            seen += 1;
            if !is_made && !is_there {
                wrong.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(seen > 100, "only {seen} paths were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
