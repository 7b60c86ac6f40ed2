//! The clients in other languages have the version of the workspace.

use std::fs;
use std::path::Path;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where each version is: the file, and what stands before and after it.
const PLACES: &[(&str, &str, &str)] = &[
    ("clients/python/pyproject.toml", "\nversion = \"", "\""),
    ("clients/typescript/package.json", "\n  \"version\": \"", "\""),
    ("clients/typescript/README.md", "stemwire-", ".tgz"),
    ("clients/java/pom.xml", "<artifactId>stemwire-client</artifactId>\n  <version>", "<"),
    ("clients/java/README.md", "<artifactId>stemwire-client</artifactId>\n  <version>", "<"),
    ("clients/go/README.md", "-require=stemwire@v", " "),
    ("clients/cpp/CMakeLists.txt", "project(stemwire VERSION ", " "),
];

#[test]
fn every_client_has_the_version_of_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, before, after) in PLACES {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{file} has no version"));
        assert_eq!(rest.split_once(after).unwrap().0, VERSION, "{file}");
    }
}
