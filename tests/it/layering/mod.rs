//! Checks the architecture: which module may import which, and which module may name which crate.

mod orders;

use std::collections::BTreeSet;

use orders::{ASYNCHRONOUS, ORDERS, OWNERS, Order};

use crate::support::sources::{Source, Sources, is_in, paths};

/// The name of `module` in the order of a folder above it, and its level.
fn level<'a>(order: &Order<'a>, module: &str) -> Option<(&'a str, usize)> {
    let (folder, levels) = *order;
    let below = if folder.is_empty() { module } else { module.strip_prefix(folder)?.get(1..)? };
    let listed = levels.iter().enumerate();
    let listed = listed.flat_map(|(level, names)| names.iter().map(move |&name| (name, level)));
    listed.filter(|(name, _)| is_in(below, name)).max_by_key(|(name, _)| name.len())
}

/// The common folder of two modules in different submodules of it.
fn common_folder<'a>(one: &'a str, other: &str) -> &'a str {
    let mut end = 0;
    for (at, _) in one.match_indices('/') {
        if is_in(other, &one[..at]) {
            end = at;
        }
    }
    &one[..end]
}

/// The imports that break an order.
fn violations(sources: &Sources, orders: &[Order<'_>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in &sources.all {
        for import in sources.imports(source) {
            let folder = common_folder(&source.module, &import);
            let Some(order) = orders.iter().find(|order| order.0 == folder) else { continue };
            match (level(order, &source.module), level(order, &import)) {
                (Some((own, above)), Some((other, below))) if own == other || below < above => {}
                (own, other) => {
                    wrong.push(format!("{} {own:?} imports {import} {other:?}", source.module));
                }
            }
        }
    }
    wrong
}

#[test]
fn modules_import_only_from_lower_levels() {
    let wrong = violations(&Sources::read(), ORDERS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_has_an_order_of_all_its_submodules() {
    let sources = Sources::read();
    for (folder, names) in sources.folders() {
        let Some((_, levels)) = ORDERS.iter().find(|order| order.0 == folder) else {
            assert!(names.len() == 1, "{folder} has no order: {names:?}");
            continue;
        };
        let listed = levels.iter().copied().flatten().filter(|name| !name.contains('/'));
        let listed: BTreeSet<&str> = listed.copied().collect();
        let missing: Vec<_> = names.symmetric_difference(&listed).collect();
        assert!(missing.is_empty(), "{folder}: not both there and listed: {missing:?}");
    }
    for (folder, _) in ORDERS {
        assert!(sources.folders().contains_key(folder), "{folder} is not there");
    }
}

#[test]
fn a_crate_with_an_owner_is_named_nowhere_else() {
    let mut wrong = Vec::new();
    for Source { module, code } in &Sources::read().all {
        for (name, owners) in OWNERS {
            let texts = [format!("{name}::"), format!("use {name};")];
            let is_named = texts.iter().any(|text| {
                code.match_indices(text.as_str()).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                })
            });
            if is_named && !owners.iter().any(|owner| is_in(module, owner)) {
                wrong.push(format!("{module} names {name}, which belongs to {owners:?}"));
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
    for Source { module, code } in &Sources::read().all {
        let owns = |owner: &str| is_in(module, owner);
        let found = |names: &[&str]| names.iter().any(|name| code.contains(name));
        assert!(
            owns("session") || owns("separation") || !found(&writes),
            "{module} changes a session past `Separations`"
        );
        assert!(
            owns("session") || owns("separation/scheduler") || !found(&permissions),
            "{module} changes the state of a session past the scheduler"
        );
    }
}

#[test]
fn clients_get_only_what_is_durable() {
    // These receive uploads, and report the rest by others.
    let receive = ["server/grpc/separate", "server/rest/tus", "server/rest/upload"];
    let local = ["manifest", "uploaded", "state", "progress"];
    let local: Vec<String> = local.iter().map(|name| format!("session.{name}()")).collect();
    for Source { module, code } in &Sources::read().all {
        let may = !is_in(module, "server") || receive.iter().any(|owner| is_in(module, owner));
        let found = local.iter().find(|call| code.contains(call.as_str()));
        assert!(may || found.is_none(), "{module} shows what may be lost: {found:?}");
    }
}

#[test]
fn the_core_is_synchronous() {
    for Source { module, code } in &Sources::read().all {
        let is_async = code.contains("async fn") || code.contains(".await");
        let may_be = ASYNCHRONOUS.iter().any(|top| is_in(module, top));
        assert!(may_be || !is_async, "{module} is asynchronous");
    }
}

fn source(module: &str, code: &str) -> Source {
    Source { module: module.into(), code: code.into() }
}

#[test]
fn imports_are_resolved_to_the_module_that_defines_a_name() {
    assert_eq!(
        paths("a::{B, c::{self, D}}; e"),
        [vec!["a", "B"], vec!["a", "c"], vec!["a", "c", "D"]]
    );
    let sources = Sources::new(vec![
        source("top", "pub use low::Low; pub(crate) use high::{self, High as Other};"),
        source("top/low", "use super::{Low, high::inner::X}; fn f() -> crate::other::Y {}"),
        source("top/high", "use super::Low;"),
        source("top/high/inner", "use super::super::Low; use super::High; self::x();"),
        source("other", "use crate::top::Low; use crate::top;"),
    ]);
    let imports = |index: usize| Vec::from_iter(sources.imports(&sources.all[index]));
    assert_eq!(imports(1), ["other", "top/high/inner"]);
    assert_eq!(imports(2), ["top/low"]);
    assert_eq!(imports(3), ["top/low"]);
    assert_eq!(imports(4), ["top", "top/low"]);
}

#[test]
fn imports_of_higher_levels_and_of_siblings_are_violations() {
    let all = |code: &str| {
        Sources::new(vec![
            source("a", ""),
            source("a/x", code),
            source("a/y", ""),
            source("a/y/z", ""),
        ])
    };
    let cases: [(&str, &[&[&str]], bool); 8] = [
        ("use super::y::A;", &[&["y"], &["x"]], true),
        ("use super::y::A;", &[&["x"], &["y"]], false),
        ("use super::y::A;", &[&["x", "y"]], false),
        ("use crate::a::y::z::A;", &[&["x"], &["y"]], false),
        ("use super::y::z;", &[&["y/z"], &["x"], &["y"]], true),
        ("use super::y::A;", &[&["y/z"], &["x"], &["y"]], false),
        ("use super::A;", &[&["x"], &["y"]], true),
        ("use super::y::A;", &[&["x"]], false),
    ];
    for (code, levels, allowed) in cases {
        let wrong = violations(&all(code), &[("a", levels)]);
        assert_eq!(wrong.is_empty(), allowed, "{code} {levels:?}: {wrong:?}");
    }
}
