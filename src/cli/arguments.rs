//! The commands, each with its arguments as typed.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::child_engine::ChildEngineArgs;
use super::cluster::ClusterArgs;
use super::decode::DecodeArgs;
use super::doctor::DoctorArgs;
use super::ffmpeg::FfmpegArgs;
use super::licences::LicencesArgs;
use super::mix::MixArgs;
use super::models::ModelsArgs;
use super::runtime::RuntimeArgs;
use super::score::ScoreArgs;
use super::separate::SeparateArgs;
use super::serve::ServeArgs;
use super::worker::WorkerArgs;

/// Separates music into stems: vocals, drums, bass, other, accompaniment.
#[derive(Debug, Parser)]
#[command(name = "stemwire", version, about, max_term_width = 100, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Arguments {
    /// Parses the command line. Ends the process with a usage message on an error, or after --help and --version.
    pub(super) fn parse_and_check() -> Arguments {
        let mut command = Arguments::command();
        let matches = command.get_matches_mut();
        if let Some(separate) = matches.subcommand_matches(SEPARATE)
            && let Err(error) = SeparateArgs::check(separate)
        {
            match command.find_subcommand_mut(SEPARATE) {
                Some(command) => error.format(command),
                None => error,
            }
            .exit()
        }
        Arguments::from_arg_matches(&matches)
            .unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// The name of [`Command::Separate`].
const SEPARATE: &str = "separate";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server: gRPC, REST and the web page
    Serve(Box<ServeArgs>),
    /// Compute segments for the servers of a cluster
    Worker(Box<WorkerArgs>),
    /// Separate songs into stems
    Separate(Box<SeparateArgs>),
    /// Sum the stems of a song, with a gain each
    Mix(MixArgs),
    /// Compare stems with reference stems
    Score(ScoreArgs),
    /// List, download, import, verify and remove models
    Models(ModelsArgs),
    /// List or install ONNX Runtime, the inference library
    Runtime(RuntimeArgs),
    /// Check the installation
    Doctor(DoctorArgs),
    /// Check what several servers share
    Cluster(ClusterArgs),
    /// Show the licences of this program and of all that it consists of
    Licences(LicencesArgs),
    /// Decode an upload while it grows
    #[command(hide = true)]
    Decode(DecodeArgs),
    /// Decode an upload with FFmpeg
    #[command(hide = true)]
    Ffmpeg(FfmpegArgs),
    /// Separate a fixed segment repeatedly to measure a provider
    #[command(hide = true)]
    Autotune(ChildEngineArgs),
    /// Separate segments in a process of their own
    #[command(hide = true)]
    Compute(ChildEngineArgs),
}
