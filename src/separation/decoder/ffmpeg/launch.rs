//! The process that confines itself and becomes FFmpeg.

use std::io;
use std::num::NonZero;
use std::path::PathBuf;

use crate::process::{ResourceLimits, Sandbox, priority, sandbox};

/// Arguments of the process that becomes FFmpeg.
#[derive(Debug, Clone)]
pub struct FfmpegJob {
    /// FFmpeg: an absolute path without links.
    pub program: PathBuf,
    /// The protocol by which it reads its standard input; `None` if it is to print its version only.
    pub protocol: Option<String>,
    /// Number of the audio track, from 1.
    pub track: NonZero<u32>,
    /// Whether audio that begins later than the pictures beside it begins with silence.
    pub keep_start: bool,
    /// How much of the audio to decode, in seconds; `None` for all of it.
    pub until_s: Option<f64>,
    /// Limit of its address space, in bytes.
    pub memory: u64,
    /// Limit of its processor time, in seconds.
    pub processor_time_s: u64,
    /// Whether to refuse where this system lacks a part of the sandbox.
    pub require_sandbox: bool,
}

/// Confines this process and becomes FFmpeg. Returns only if that fails.
#[cfg(unix)]
pub fn launch(job: &FfmpegJob) -> io::Error {
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
pub fn launch(job: &FfmpegJob) -> io::Error {
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

/// The arguments of FFmpeg: one audio stream of its standard input, with the rate and the channels that it has, as WAV on
/// its standard output.
fn arguments(job: &FfmpegJob, sandbox: Sandbox) -> Vec<String> {
    let mut arguments = vec!["-nostdin".to_owned()];
    let mut add = |text: &str| arguments.extend(text.split(' ').map(str::to_owned));
    let Some(protocol) = &job.protocol else { return arguments };
    let (allowed, input) = match protocol.as_str() {
        // Many files can only be read by seeking, which a pipe cannot. The sandbox lets it open no other file.
        "pipe" if sandbox.landlock => ("file,pipe", "file:/dev/fd/0".to_owned()),
        protocol => ("fd,pipe", format!("{protocol}:")),
    };
    // Other protocols could be named in the upload. One thread decodes; each more takes address space.
    add("-hide_banner -nostats -loglevel info -threads 1");
    add(&format!("-protocol_whitelist {allowed} -i {input}"));
    add(&format!("-map 0:a:{} -map_metadata -1 -map_chapters -1 -bitexact", job.track.get() - 1));
    if job.keep_start {
        // Time 0 is the beginning of the stream that begins first.
        add("-filter:a aresample=first_pts=0");
    }
    if let Some(until_s) = job.until_s {
        add(&format!("-t {until_s}"));
    }
    add("-c:a pcm_f32le -f wav pipe:1");
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(protocol: &str, landlock: bool) -> String {
        let job = FfmpegJob {
            program: "/usr/bin/ffmpeg".into(),
            protocol: Some(protocol.into()),
            track: NonZero::<u32>::MIN,
            keep_start: false,
            until_s: None,
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
        assert_eq!(input("fd", true), "fd,pipe fd:");
        assert_eq!(input("pipe", true), "file,pipe file:/dev/fd/0");
        assert_eq!(input("pipe", false), "fd,pipe pipe:");
    }
}
