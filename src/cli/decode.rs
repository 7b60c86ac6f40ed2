//! `stemwire decode` (hidden): the child process that decodes an upload.

use std::num::NonZero;
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use crate::audio::{Hertz, TimeSpan};
use crate::decode::Input;
use crate::proto::reason::Category;
use crate::separation::decoder::child::{self, DecodeJob};
use crate::session::settings::RawPcm;

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// File of the upload; elsewhere it is the standard input
    #[cfg(not(unix))]
    #[arg(long)]
    upload: std::path::PathBuf,
    /// Sample rate of the output
    #[arg(long)]
    rate: u32,
    /// Send the edges of silent passages
    #[arg(long)]
    find_silence: bool,
    /// Begin with silence where the audio begins later than the pictures
    #[arg(long)]
    keep_start: bool,
    /// The upload is a pipe
    #[arg(long)]
    piped: bool,
    /// Read the tags of the upload alone
    #[arg(long)]
    only_tags: bool,
    /// Address space limit in bytes
    #[arg(long)]
    memory: u64,
    /// Processor time limit in seconds
    #[arg(long)]
    processor_time: u64,
    /// Form of the upload if it is raw PCM
    #[arg(long)]
    raw: Option<RawPcm>,
    /// Audio track to decode, from 1
    #[arg(long, conflicts_with = "raw")]
    track: Option<NonZero<u32>>,
    /// Start of the part to decode, in nanoseconds
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// End of the part to decode, in nanoseconds
    #[arg(long)]
    end: Option<u64>,
    /// Refuse where this system lacks a part of the sandbox
    #[arg(long)]
    require_sandbox: bool,
}

/// Decodes until the upload ends.
pub(super) fn run(args: &DecodeArgs) -> Result<(), CliError> {
    let input = match (args.raw, args.track) {
        (None, None) => Input::Container,
        (None, Some(number)) => Input::Track(number),
        (Some(RawPcm { encoding, rate, channels }), _) => Input::Raw { encoding, rate, channels },
    };
    let job = DecodeJob {
        #[cfg(not(unix))]
        upload: args.upload.clone(),
        input,
        rate: Hertz(args.rate),
        span: TimeSpan {
            start: Duration::from_nanos(args.start),
            end: args.end.map(Duration::from_nanos),
        },
        find_silence: args.find_silence,
        keep_start: args.keep_start,
        piped: args.piped,
        only_tags: args.only_tags,
        memory: args.memory,
        processor_time_s: args.processor_time,
        require_sandbox: args.require_sandbox,
    };
    child::run(&job).map_err(|error| CliError::plain(Category::Other, error.to_string()))
}
