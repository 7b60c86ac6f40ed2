//! The `stemwire` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    stemwire::cli::run()
}
