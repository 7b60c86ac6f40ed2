//! MP3 at a constant bitrate, by LAME: the one in this program, or in builds without it that of FFmpeg.

#[cfg(feature = "mp3")]
mod lame;
mod tag;

use std::io::{self, Read, Write};

#[cfg(feature = "mp3")]
use lame::Lame;

use super::encoder_process::EncoderProcess;
use super::samples::beyond_full_scale;
use super::tags::id3;
use super::{Encode, EncodeError, FileSpec, Output};
use crate::audio::resample::Resampler;
use crate::audio::{FileFormat, Frames, Hertz, Stereo};
use crate::process::{Ffmpeg, FfmpegCodec};

/// Most bytes taken from FFmpeg at once.
const PACKET_BYTES: usize = 8 * 1024;

/// The LAME that encodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LameOf<'a> {
    /// The one in this program.
    BuiltIn,
    /// That of an FFmpeg.
    Ffmpeg(&'a Ffmpeg),
}

impl LameOf<'_> {
    /// The LAME of a program that has one or not. `None` if there is neither.
    pub(super) fn choose(is_built_in: bool, ffmpeg: Option<&Ffmpeg>) -> Option<LameOf<'_>> {
        if is_built_in { Some(LameOf::BuiltIn) } else { ffmpeg.map(LameOf::Ffmpeg) }
    }
}

/// An MP3 file that is being written. Its first frame, behind its tags, states the delay of the encoder and the exact length.
pub(super) struct Mp3Encoder {
    resampler: Resampler,
    expected: Frames,
    channels: usize,
    frames: Mp3Frames,
}

/// Writes audio at the rate of the file.
struct Mp3Frames {
    /// Factor that undoes LAME's own.
    gain: f32,
    encoder: FrameEncoder,
    output: Output,
}

/// Encodes audio.
enum FrameEncoder {
    #[cfg(feature = "mp3")]
    BuiltIn(Box<Lame>),
    Ffmpeg(EncoderProcess),
}

impl Mp3Encoder {
    /// Writes the tags and the first frame.
    pub(super) fn start(
        spec: &FileSpec,
        kbits: u32,
        lame: LameOf<'_>,
        mut output: Output,
    ) -> Result<Mp3Encoder, EncodeError> {
        let (channels, expected) = (spec.channels, spec.frames);
        let rate = tag::coded_rate(spec.rate);
        let resampler = Resampler::new(spec.rate, rate).map_err(failed)?;
        let encoder = FrameEncoder::start(lame, rate, channels, kbits)?;
        let frames = expected.resampled(spec.rate, rate);
        if let Some(tags) = &spec.tags {
            output.write_all(&id3(tags))?;
        }
        output.write_all(&tag::info_frame(rate, channels, kbits, frames))?;
        let gain = 1.0 / level(kbits);
        let frames = Mp3Frames { gain, encoder, output };
        Ok(Mp3Encoder { resampler, expected, channels, frames })
    }
}

impl Mp3Frames {
    fn encode(&mut self, mut audio: Stereo) -> Result<(), EncodeError> {
        audio.scale(self.gain);
        self.encoder.encode(&audio, &mut self.output)
    }

    fn finish(mut self) -> Result<(), EncodeError> {
        self.encoder.finish(&mut self.output)?;
        Ok(self.output.finish()?)
    }
}

impl Encode for Mp3Encoder {
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError> {
        let mut audio = Stereo::new();
        self.resampler.push(block, &mut audio);
        self.frames.encode(audio)?;
        Ok(beyond_full_scale(block, self.channels))
    }

    fn finish(self: Box<Self>) -> Result<(), EncodeError> {
        let Mp3Encoder { resampler, expected, mut frames, .. } = *self;
        let written = resampler.consumed();
        if written != expected {
            return Err(EncodeError::Length { written, expected });
        }
        let mut rest = Stereo::new();
        resampler.finish(&mut rest);
        frames.encode(rest)?;
        frames.finish()
    }
}

impl FrameEncoder {
    fn start(
        lame: LameOf<'_>,
        rate: Hertz,
        channels: usize,
        kbits: u32,
    ) -> Result<FrameEncoder, EncodeError> {
        match lame {
            #[cfg(feature = "mp3")]
            LameOf::BuiltIn => {
                Ok(FrameEncoder::BuiltIn(Box::new(Lame::new(rate, channels, kbits)?)))
            }
            #[cfg(not(feature = "mp3"))]
            LameOf::BuiltIn => Err(EncodeError::FfmpegMissing { format: FileFormat::Mp3 }),
            LameOf::Ffmpeg(ffmpeg) => {
                let codec = (FfmpegCodec::Mp3, read_packet as _);
                let process = EncoderProcess::start(ffmpeg, codec, rate, channels as u8, kbits)?;
                Ok(FrameEncoder::Ffmpeg(process))
            }
        }
    }

    fn encode(&mut self, audio: &Stereo, output: &mut Output) -> Result<(), EncodeError> {
        match self {
            #[cfg(feature = "mp3")]
            FrameEncoder::BuiltIn(lame) => lame.encode(audio, output),
            FrameEncoder::Ffmpeg(process) => {
                Ok(process.write(audio, |packet| output.write_all(packet))?)
            }
        }
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), EncodeError> {
        match self {
            #[cfg(feature = "mp3")]
            FrameEncoder::BuiltIn(lame) => lame.finish(output),
            FrameEncoder::Ffmpeg(process) => Ok(process.finish(|packet| output.write_all(packet))?),
        }
    }
}

/// Reads some bytes; `None` at the end.
fn read_packet(frames: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut packet = vec![0; PACKET_BYTES];
    let bytes = frames.read(&mut packet)?;
    packet.truncate(bytes);
    Ok((bytes > 0).then_some(packet))
}

/// The factor by which LAME lowers audio at a constant bitrate, against clipping in players (its `presets.c`). The stems of a
/// song would not add up to it.
fn level(kbits: u32) -> f32 {
    match kbits {
        256.. => 1.0,
        224 => 0.98,
        192 => 0.97,
        _ => 0.95,
    }
}

fn failed(error: impl std::fmt::Display) -> EncodeError {
    EncodeError::Failed { format: FileFormat::Mp3, cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ffmpeg_encodes_where_lame_is_not_built_in() {
        let ffmpeg = Ffmpeg {
            launcher: "stemwire".into(),
            program: "/usr/bin/ffmpeg".into(),
            memory: 1,
            processor_time: Duration::from_secs(1),
            stall: Duration::from_secs(1),
            require_sandbox: false,
        };
        for (is_built_in, has_ffmpeg, expected) in [
            (true, true, Some(LameOf::BuiltIn)),
            (true, false, Some(LameOf::BuiltIn)),
            (false, true, Some(LameOf::Ffmpeg(&ffmpeg))),
            (false, false, None),
        ] {
            let chosen = LameOf::choose(is_built_in, has_ffmpeg.then_some(&ffmpeg));
            assert_eq!(chosen, expected, "{is_built_in} {has_ffmpeg}");
        }
    }
}
