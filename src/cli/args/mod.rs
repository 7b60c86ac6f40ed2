//! Exactly what was typed.

mod choices;
mod engine;
mod hidden;
mod models;
mod runtime;
mod separate;
mod serve;

use clap::{Parser, Subcommand};

use super::score::ScoreArgs;

pub(super) use engine::EngineArgs;
pub(super) use hidden::{Autotune, Decode};
pub(super) use models::{Models, ModelsCommand, ModelsFolder};
pub(super) use runtime::{Doctor, RuntimeAction, RuntimeCommand};
pub(super) use separate::Separate;
pub(super) use serve::{FailureArgs, LimitArgs, Serve};

/// Separates music into stems: vocals, drums, bass, other, accompaniment.
#[derive(Debug, Parser)]
#[command(name = "stemwire", version, about, max_term_width = 100, arg_required_else_help = true)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Serve separation over gRPC
    Serve(Box<Serve>),
    /// Separate songs into WAV files
    Separate(Separate),
    /// Compare stems with the true ones
    Score(ScoreArgs),
    /// Show, download, import and remove models
    Models(Models),
    /// Show or install ONNX Runtime, which runs the models
    Runtime(RuntimeCommand),
    /// Check that everything is in place
    Doctor(Doctor),
    /// Decode an upload while it grows
    #[command(hide = true)]
    Decode(Decode),
    /// Separate a fixed segment repeatedly to measure a provider
    #[command(hide = true)]
    Autotune(Autotune),
}
