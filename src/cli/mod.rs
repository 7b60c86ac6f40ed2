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
mod ffmpeg_option;
mod finding;
mod licences;
mod mix;
mod models;
mod otlp;
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

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::process::file_size;
use crate::trace;
use arguments::{Arguments, Command};
use otlp::Traces;

/// Runs the command that was typed.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse_and_check();
    file_size::fail_writes_beyond_limit();
    let traces = match &arguments.command {
        Command::Serve(args) => args.otlp.start("stemwire"),
        Command::Worker(args) => args.otlp.start("stemwire-worker"),
        _ => Ok(None),
    };
    let level = match arguments.command {
        Command::Serve(_) | Command::Worker(_) => "info",
        // The last line of its standard error is the message of a crash.
        Command::Decode(_) | Command::Ffmpeg(_) | Command::Compute(_) => "off",
        _ => "error",
    };
    // They are sent until the process ends.
    let _traces = match traces {
        Ok(traces) => {
            start_log(level, traces.as_ref());
            traces
        }
        Err(error) => {
            error.print();
            return error.exit_code();
        }
    };
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

/// Logs to standard error, as `STEMWIRE_LOG` filters, by default from this level; and sends traces, if there are any.
fn start_log(level: &str, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_env("STEMWIRE_LOG").unwrap_or_else(|_| {
        // ONNX Runtime's own messages are for its developers: errors of calls are reported by their callers, and an
        // engine that was stopped has not failed. `object_store` reports each of many retries of an outage, which is one event.
        EnvFilter::new(format!("{level},ort=off,async_nats=off,object_store=warn"))
    });
    let spans = |level| Targets::new().with_target(trace::TARGET, level);
    // Spans of traces are no part of the log, whatever the filter is.
    let log = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // Else a line that cannot be written, because the log's disk is full, is a panic of the thread that logs.
        .log_internal_errors(false)
        .with_filter(spans(LevelFilter::OFF).with_default(LevelFilter::TRACE))
        .with_filter(filter);
    let traces = traces.map(|traces| traces.layer().with_filter(spans(LevelFilter::INFO)));
    registry().with(log).with(traces).init();
}
