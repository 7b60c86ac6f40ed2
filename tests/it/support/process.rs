//! Tests of state that belongs to a whole process: its memory, its panic hook.

use std::env;
use std::process::Command;

/// Set in a process that runs one test alone, to that test's name.
const VARIABLE: &str = "STEMWIRE_TEST_ALONE";

/// Runs `body` in a process that runs nothing else. It must be all of the test named `name` of the module `module`
/// (`module_path!()`): the child process is this binary, which runs that test only.
///
/// # Panics
///
/// Where the child fails, with what it printed.
pub fn in_own_process(module: &str, name: &str, body: impl FnOnce()) {
    let (_, module) = module.split_once("::").expect("a module of this binary");
    let test = format!("{module}::{name}");
    if env::var(VARIABLE).is_ok_and(|alone| alone == test) {
        return body();
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--test-threads=1", &test]).env(VARIABLE, &test);
    let output = command.output().unwrap();
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    println!("{stdout}{stderr}");
    assert!(output.status.success(), "{test} failed in its own process");
    assert!(stdout.contains("1 passed"), "no test is named {test}");
}
