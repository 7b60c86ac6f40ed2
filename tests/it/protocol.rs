//! The protocol's own text against the code: whoever has only the proto, or the OpenAPI document, knows every reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where reasons are made.
const SOURCES: [&str; 5] = [
    "src/server/status/answer.rs",
    "src/server/status/mod.rs",
    "src/server/details.rs",
    "src/session/failure.rs",
    "src/session/engines.rs",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What plain HTTP has of its own stands where the OpenAPI document gets its words from.
const PROBLEM: &str = "src/server/status/http.rs";

/// What is `UPPER_SNAKE` in `text`, of three letters or more.
fn names(text: &str) -> BTreeSet<&str> {
    let in_name = |c: char| c.is_ascii_uppercase() || c == '_';
    text.split(|c: char| !in_name(c)).filter(|word| word.len() > 2).collect()
}

#[test]
fn every_reason_stands_in_the_proto_or_in_openapi() {
    let proto = ["separation_service", "session", "config", "engine"]
        .map(|name| read(&format!("proto/stemwire/v1/{name}.proto")))
        .concat();
    let problem = read(PROBLEM);
    let comments: Vec<&str> = problem.lines().filter(|line| line.contains("///")).collect();
    let comments = comments.join("\n");
    let told = &names(&proto) | &names(&comments);
    let mut made = 0;
    for source in SOURCES {
        let text = read(source);
        let literals = text.split('"').skip(1).step_by(2);
        let reasons = literals
            .filter(|text| *text != "SCREAMING_SNAKE_CASE" && names(text).first() == Some(text));
        for reason in reasons {
            made += 1;
            assert!(told.contains(reason), "{reason} of {source} is not told");
        }
    }
    assert!(made > 60, "only {made} reasons were found");
}
