//! FFmpeg as a decoder of what this program does not read.
//!
//! Three processes: the server, FFmpeg, and a decoder of this program. FFmpeg reads the complete upload and writes WAV to a
//! pipe; the decoder reads that as it would an upload, so that downmix, resampling, silent passages and parts of songs are
//! those of every other file, and the server parses nothing that FFmpeg writes but its log and its list of tags. It is started as
//! [`process::ffmpeg`](crate::process::ffmpeg) describes.

pub mod choice;
mod log;

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::DecoderConfig;
use super::connection::{self, FromChild};
use super::request::DecodeRequest;
use super::shared::Children;
use crate::process::ChildProcess;

pub(super) use log::{InputFormat, audio_codecs};

/// The time within which FFmpeg prints its version. A loaded machine may take seconds to start it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is decoded beyond the end of a part, so that rounding takes nothing from it.
const MARGIN: Duration = Duration::from_secs(1);

/// Runs FFmpeg without input in its sandbox. Returns its name and version, such as `ffmpeg 7.0.2`.
///
/// # Errors
/// It does not start, or is no FFmpeg.
pub(super) fn version(config: &DecoderConfig, program: &Path) -> io::Result<String> {
    let mut command = config.ffmpeg_at(program).command();
    let process =
        ChildProcess::start_on_streams(command.stdin(Stdio::null()).stdout(Stdio::null()))?;
    let ending = process.ending_within(PATIENCE);
    let version = log::version(&process.stderr_head());
    version.ok_or_else(|| io::Error::other(format!("{} {ending}", program.display())))
}

/// What FFmpeg decodes of a complete upload.
pub(super) struct FfmpegInput<'a> {
    pub(super) upload: &'a Path,
    /// What is needed of it.
    pub(super) request: DecodeRequest,
}

/// Starts FFmpeg of this version, and `decoder` on its output.
///
/// # Errors
/// The upload cannot be opened, or a process cannot be started.
pub(super) fn start(
    config: &DecoderConfig,
    (program, version): (&Path, &str),
    input: &FfmpegInput<'_>,
    decoder: Command,
) -> io::Result<(Children, FromChild)> {
    let mut command = input_command(config, (program, version));
    let DecodeRequest { track, span, keep_start, raw: _ } = input.request;
    if let Some(track) = track {
        command.args(["--track", &track.to_string()]);
    }
    if keep_start {
        command.arg("--keep-start");
    }
    if let Some(end) = span.end {
        command.args(["--until", &(end + MARGIN).as_secs_f64().to_string()]);
    }
    let (reader, writer) = io::pipe()?;
    command.stdin(File::open(input.upload)?).stdout(writer);
    let ffmpeg = ChildProcess::start_on_streams(&mut command)?;
    // Its end of the pipe is FFmpeg's alone from here on.
    drop(command);
    let (decoder, from_child) = connection::start_on(decoder, reader)?;
    Ok((Children { decoder, ffmpeg: Some(ffmpeg) }, from_child))
}

/// The command of an FFmpeg of this version that lists the tags of its standard input on its standard output.
pub(super) fn list_tags(config: &DecoderConfig, program: (&Path, &str)) -> Command {
    let mut command = input_command(config, program);
    command.arg("--list-tags");
    command
}

/// The command of an FFmpeg of this version that reads an upload.
fn input_command(config: &DecoderConfig, (program, version): (&Path, &str)) -> Command {
    let mut command = config.ffmpeg_at(program).command();
    command.args(["--protocol", protocol(version)]);
    command
}

/// The protocol by which FFmpeg of this version reads its standard input. `fd`, which can seek, exists since version 6.
fn protocol(version: &str) -> &'static str {
    let number = version.trim_start_matches("ffmpeg ").trim_start_matches('n');
    let major =
        number.split(|c: char| !c.is_ascii_digit()).next().and_then(|text| text.parse().ok());
    match major {
        Some(0..6) => "pipe",
        // Builds between versions have a date or the number of a commit.
        _ => "fd",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_read_a_pipe() {
        for (version, expected) in [
            ("ffmpeg 4.4.2-0ubuntu0.22.04.1", "pipe"),
            ("ffmpeg n5.1", "pipe"),
            ("ffmpeg 6.0", "fd"),
            ("ffmpeg n9.0.2-17-g2a571b6068", "fd"),
            ("ffmpeg 2024-05-02-git-71669f2ad5", "fd"),
            ("ffmpeg N-115387-g8e27bd025f", "fd"),
        ] {
            assert_eq!(protocol(version), expected, "{version}");
        }
    }
}
