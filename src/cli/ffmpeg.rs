//! `stemwire ffmpeg` (hidden): the process that confines itself and becomes FFmpeg.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;

use crate::process::FfmpegCodec;
use crate::process::ffmpeg::launch::{FfmpegJob, FfmpegTask, launch};
use crate::proto::reason::Category;

#[derive(Debug, Args)]
pub(super) struct FfmpegArgs {
    /// FFmpeg
    #[arg(long)]
    program: PathBuf,
    /// Protocol by which it reads its standard input
    #[arg(long, value_parser = ["fd", "pipe"])]
    protocol: Option<String>,
    /// Audio track to decode, from 1
    #[arg(long, default_value_t = NonZero::<u32>::MIN)]
    track: NonZero<u32>,
    /// List the tags
    #[arg(long, requires = "protocol")]
    list_tags: bool,
    /// Begin with silence where the audio begins later than the pictures
    #[arg(long)]
    keep_start: bool,
    /// End of what to decode, in seconds
    #[arg(long)]
    until: Option<f64>,
    /// Encode PCM
    #[arg(long, value_parser = codec, conflicts_with = "protocol", requires_all = ["rate", "channels", "bit_rate"])]
    encode: Option<FfmpegCodec>,
    /// Sample rate of the PCM
    #[arg(long)]
    rate: Option<u32>,
    /// Channels of the PCM
    #[arg(long)]
    channels: Option<u8>,
    /// Bits per second of the encoded audio
    #[arg(long)]
    bit_rate: Option<u32>,
    /// Address space limit in bytes
    #[arg(long)]
    memory: u64,
    /// Processor time limit in seconds
    #[arg(long)]
    processor_time: u64,
    /// Refuse where this system lacks a part of the sandbox
    #[arg(long)]
    require_sandbox: bool,
}

fn codec(name: &str) -> Result<FfmpegCodec, &'static str> {
    FfmpegCodec::named(name).ok_or("this is no codec that FFmpeg encodes")
}

/// Becomes FFmpeg. Ends the process if that fails.
pub(super) fn run(args: &FfmpegArgs) -> ! {
    let encoding = (args.encode, args.rate, args.channels, args.bit_rate);
    let task = match (&args.protocol, encoding) {
        (Some(protocol), _) if args.list_tags => {
            FfmpegTask::ListTags { protocol: protocol.clone() }
        }
        (Some(protocol), _) => FfmpegTask::Decode {
            protocol: protocol.clone(),
            track: args.track,
            keep_start: args.keep_start,
            until_s: args.until,
        },
        (None, (Some(codec), Some(rate), Some(channels), Some(bit_rate))) => {
            FfmpegTask::Encode { codec, rate, channels, bit_rate }
        }
        _ => FfmpegTask::Version,
    };
    let job = FfmpegJob {
        program: args.program.clone(),
        task,
        memory: args.memory,
        processor_time_s: args.processor_time,
        require_sandbox: args.require_sandbox,
    };
    // One line: the last line of standard error is what is reported.
    eprintln!("{}", launch(&job));
    std::process::exit(i32::from(Category::Other as u8))
}
