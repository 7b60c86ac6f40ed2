//! The process that confines itself and becomes FFmpeg.

use std::io;
use std::num::NonZero;
use std::path::PathBuf;

use super::FfmpegCodec;
use crate::process::{ResourceLimits, Sandbox, priority, sandbox};

/// Arguments of the process that becomes FFmpeg.
#[derive(Debug, Clone)]
pub(crate) struct FfmpegJob {
    /// FFmpeg: an absolute path without links.
    pub(crate) program: PathBuf,
    pub(crate) task: FfmpegTask,
    /// Limit of its address space, in bytes.
    pub(crate) memory: u64,
    /// Limit of its processor time, in seconds.
    pub(crate) processor_time_s: u64,
    /// Whether to refuse where this system lacks a part of the sandbox.
    pub(crate) require_sandbox: bool,
}

/// What FFmpeg is to do.
#[derive(Debug, Clone)]
pub(crate) enum FfmpegTask {
    /// Print its version.
    Version,
    /// Decode one audio stream of its standard input, with the rate and the channels that it has, to WAV on its standard
    /// output.
    Decode {
        /// The protocol by which it reads its standard input.
        protocol: String,
        /// Number of the audio track, from 1.
        track: NonZero<u32>,
        /// Whether audio that begins later than the pictures beside it begins with silence.
        keep_start: bool,
        /// How much of the audio to decode, in seconds; `None` for all of it.
        until_s: Option<f64>,
    },
    /// List the tags of its standard input on its standard output.
    ListTags {
        /// The protocol by which it reads its standard input.
        protocol: String,
    },
    /// Encode float32 PCM from its standard input to its standard output.
    Encode {
        codec: FfmpegCodec,
        /// Sample rate in Hz.
        rate: u32,
        channels: u8,
        /// Bits per second.
        bit_rate: u32,
    },
}

/// Confines this process and becomes FFmpeg. Returns only if that fails.
#[cfg(unix)]
pub(crate) fn launch(job: &FfmpegJob) -> io::Error {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    match confine(job) {
        Ok(sandbox) => {
            let mut ffmpeg = Command::new(&job.program);
            ffmpeg.arg0("ffmpeg").args(arguments(job, sandbox)).env_clear().exec()
        }
        Err(error) => error,
    }
}

/// Fails: this system has no such call.
#[cfg(not(unix))]
pub(crate) fn launch(job: &FfmpegJob) -> io::Error {
    let _ = confine(job).map(|sandbox| arguments(job, sandbox));
    io::ErrorKind::Unsupported.into()
}

/// Sets the limits and enters the sandbox.
fn confine(job: &FfmpegJob) -> io::Result<Sandbox> {
    crate::process::end_with_parent();
    let limits = ResourceLimits { memory_bytes: job.memory, cpu_time_s: job.processor_time_s };
    limits.apply_to_program()?;
    priority::lower_process();
    let confined = sandbox::enter_for(&job.program)?;
    match confined.missing() {
        Some(missing) if job.require_sandbox => {
            Err(io::Error::other(format!("ffmpeg is not run: this system has no {missing}")))
        }
        _ => Ok(confined),
    }
}

/// The arguments of FFmpeg.
fn arguments(job: &FfmpegJob, sandbox: Sandbox) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |text: &str| arguments.extend(text.split(' ').map(str::to_owned));
    // Other protocols could be named in an upload. One thread works; each more takes address space.
    let begin = |level: &str, protocols: &str| {
        format!(
            "-hide_banner -nostats -loglevel {level} -threads 1 -protocol_whitelist {protocols}"
        )
    };
    match &job.task {
        FfmpegTask::Version => add("-nostdin"),
        FfmpegTask::Decode { protocol, track, keep_start, until_s } => {
            let (allowed, input) = input(protocol, sandbox);
            add("-nostdin");
            add(&begin("info", allowed));
            add(&format!("-i {input} -map 0:a:{}", track.get() - 1));
            add("-map_metadata -1 -map_chapters -1 -bitexact");
            let until = until_s.map(|until_s| format!("-t {until_s} ")).unwrap_or_default();
            if *keep_start {
                add("-filter:a aresample=first_pts=0");
            }
            add(&format!("{until}-c:a pcm_f32le -f wav pipe:1"));
            if *keep_start {
                // Time 0 is the beginning of the stream that begins first, of those that are used.
                add(&format!("-map 0:a -map 0:v? -c copy {until}-f null -"));
            }
        }
        FfmpegTask::ListTags { protocol } => {
            let (allowed, input) = input(protocol, sandbox);
            add("-nostdin");
            add(&begin("error", allowed));
            add(&format!("-i {input} -map_chapters -1 -f ffmetadata pipe:1"));
        }
        FfmpegTask::Encode { codec, rate, channels, bit_rate } => {
            add("-nostdin");
            add(&begin("error", "pipe"));
            add(&format!(
                "-f f32le -ar {rate} -ac {channels} -i pipe:0 -map_metadata -1 -bitexact"
            ));
            let (encoder, container) = match codec {
                FfmpegCodec::Aac => ("aac", "-f adts"),
                // At the quality of the built-in encoder. The headers and tags are ours.
                FfmpegCodec::Mp3 => {
                    ("libmp3lame -compression_level 2", "-write_xing 0 -id3v2_version 0 -f mp3")
                }
            };
            add(&format!("-c:a {encoder} -b:a {bit_rate} {container} pipe:1"));
        }
    }
    arguments
}

/// The allowed protocols, and the address of the standard input.
fn input(protocol: &str, sandbox: Sandbox) -> (&'static str, String) {
    match protocol {
        // Many files can only be read by seeking, which a pipe cannot. The sandbox lets it open no other file.
        "pipe" if sandbox.landlock => ("file,pipe", "file:/dev/fd/0".to_owned()),
        protocol => ("fd,pipe", format!("{protocol}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_input(protocol: &str, landlock: bool) -> String {
        let job = FfmpegJob {
            program: "/usr/bin/ffmpeg".into(),
            task: FfmpegTask::Decode {
                protocol: protocol.into(),
                track: NonZero::<u32>::MIN,
                keep_start: false,
                until_s: None,
            },
            memory: 1,
            processor_time_s: 1,
            require_sandbox: false,
        };
        let arguments = arguments(&job, Sandbox { landlock, seccomp: true });
        let value = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name).unwrap();
            arguments[at + 1].clone()
        };
        format!("{} {}", value("-protocol_whitelist"), value("-i"))
    }

    #[test]
    fn files_are_opened_only_where_all_others_are_denied() {
        assert_eq!(shown_input("fd", true), "fd,pipe fd:");
        assert_eq!(shown_input("pipe", true), "file,pipe file:/dev/fd/0");
        assert_eq!(shown_input("pipe", false), "fd,pipe pipe:");
    }
}
