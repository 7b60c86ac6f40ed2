//! The command line. A file or folder per command: its arguments as typed, what they mean, and the run.
//!
//! [`arguments`] has the commands, [`engine_args`] and [`setup`] what several of them share, [`error`] the exit codes.

mod arguments;
mod autotune;
mod child_engine;
mod cluster;
mod cluster_secret;
mod compute;
mod decode;
mod doctor;
mod engine_args;
mod error;
mod ffmpeg;
mod finding;
mod licences;
mod mix;
mod models;
mod output;
mod providers;
mod runtime;
mod score;
mod separate;
mod serve;
mod setup;
mod stop_signals;
mod worker;

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::process::file_size;
use arguments::{Arguments, Command};

/// Runs the command that was typed.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse_and_check();
    file_size::fail_writes_beyond_limit();
    start_log(match arguments.command {
        Command::Serve(_) | Command::Worker(_) => "info",
        // The last line of its standard error is the message of a crash.
        Command::Decode(_) | Command::Ffmpeg(_) | Command::Compute(_) => "off",
        _ => "error",
    });
    let result = match &arguments.command {
        Command::Serve(args) => serve::run(args),
        Command::Worker(args) => worker::run(args),
        Command::Separate(args) => separate::run(args),
        Command::Mix(args) => mix::run(args),
        Command::Score(args) => score::run(args),
        Command::Models(args) => models::run(args),
        Command::Runtime(args) => runtime::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Cluster(args) => cluster::run(args),
        Command::Licences(args) => licences::run(args),
        Command::Decode(args) => decode::run(args),
        Command::Ffmpeg(args) => ffmpeg::run(args),
        Command::Autotune(args) => autotune::run(args),
        Command::Compute(args) => compute::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_reader_gone() => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}

/// Logs to standard error: as `STEMWIRE_LOG` filters, by default from this level.
fn start_log(level: &str) {
    let filter = EnvFilter::try_from_env("STEMWIRE_LOG").unwrap_or_else(|_| {
        // ONNX Runtime's own messages are for its developers: errors of calls are reported by their callers, and an
        // engine that was stopped has not failed. `object_store` reports each of many retries of an outage, which is one event.
        EnvFilter::new(format!("{level},ort=off,async_nats=off,object_store=warn"))
    });
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        // Else a line that cannot be written, because the log's disk is full, is a panic of the thread that logs.
        .log_internal_errors(false)
        .init();
}
