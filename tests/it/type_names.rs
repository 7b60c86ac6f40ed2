//! One name means one thing: no two modules declare a type of the same name.
//!
//! Generated messages are excluded: a domain type has the name of the message that it is converted from. Where a second
//! type of a name seems right, one of the two is usually better named by its purpose.

use std::collections::BTreeMap;

use crate::support::sources::{Source, Sources};

/// The names of the types and traits that a source declares, without associated types.
fn declared(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter_map(|line| {
        let text = line.trim_start();
        let is_indented = text.len() < line.len();
        let text = match text.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
            Some(rest) => rest,
            None => text,
        };
        let (keyword, rest) = text.trim_start().split_once(' ')?;
        let is_declaration = match keyword {
            "struct" | "enum" | "trait" | "union" => true,
            "type" => !is_indented,
            _ => false,
        };
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (is_declaration && end > 0).then_some(&rest[..end])
    })
}

/// Modules that declare the same types for different systems: one of them is compiled.
const ALTERNATIVES: [[&str; 2]; 1] =
    [["separation/decoder/connection/descriptors", "separation/decoder/connection/pipes"]];

/// The names that several modules declare, each with these modules.
fn repeated(sources: &[Source]) -> Vec<(&str, Vec<&str>)> {
    let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Source { module, code } in sources {
        declared(code).for_each(|name| modules.entry(name).or_default().push(module));
    }
    let is_one = |modules: &[&str]| ALTERNATIVES.iter().any(|pair| pair[..] == *modules);
    let mut modules: Vec<_> = modules.into_iter().collect();
    modules.iter_mut().for_each(|(_, modules)| modules.sort_unstable());
    modules.retain(|(_, modules)| modules.len() > 1 && !is_one(modules));
    modules
}

#[test]
fn a_type_name_is_declared_once() {
    let sources = Sources::read();
    let count = sources.all.iter().map(|source| declared(&source.code).count()).sum::<usize>();
    assert!(count > 300, "only {count} declarations were found");
    let repeated = repeated(&sources.all);
    assert!(repeated.is_empty(), "{repeated:#?}");
}

#[test]
fn declarations_are_found_whatever_their_visibility() {
    let source = |module: &str, code: &str| Source { module: module.into(), code: code.into() };
    let sources = [
        source("a", "pub(in crate::x) struct Block<'a> {\n    pub type_of: u8,\n}\nuse b::Part;"),
        source(
            "b",
            "enum Part {}\nimpl Block {\n    type Output = u8;\n    fn x() { struct Inner; }",
        ),
        source(
            "c",
            "type Block = u8;\nimpl Y for Part {\n    type Output = u8;\n    struct Part(u8);",
        ),
    ];
    assert_eq!(repeated(&sources), [("Block", vec!["a", "c"]), ("Part", vec!["b", "c"])]);
}
