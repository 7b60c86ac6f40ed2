//! The command line. What was typed is in [`args`], what it means in each command's file.

mod args;
mod autotune;
mod decode;
mod doctor;
mod error;
mod export;
mod models;
mod providers;
mod runtime;
mod score;
mod separate;
mod serve;
mod setup;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::{Arguments, Command};
#[cfg(feature = "fuzzing")]
pub(crate) use export::is_finished;

/// Runs the command that was typed.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let quiet = !matches!(arguments.command, Command::Serve(_));
    log(if quiet { "error" } else { "info" });
    let result = match &arguments.command {
        Command::Serve(serve) => serve::run(serve),
        Command::Separate(separate) => separate::run(separate),
        Command::Score(score) => score::run(score),
        Command::Models(models) => models::run(models),
        Command::Runtime(runtime) => runtime::run(runtime),
        Command::Doctor(doctor) => doctor::run(doctor),
        Command::Decode(decode) => decode::run(decode),
        Command::Autotune(autotune) => autotune::run(autotune),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}

/// Logs to standard error: what `STEMWIRE_LOG` says, else this level.
fn log(default: &str) {
    let filter = EnvFilter::try_from_env("STEMWIRE_LOG").unwrap_or_else(|_| {
        // The inference library's own messages are of use to its developers: what fails is told by who asked for
        // it, and an engine that was asked to stop has not failed.
        EnvFilter::new(format!("{default},ort=off"))
    });
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .init();
}
