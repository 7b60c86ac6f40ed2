//! MP3 by LAME, at a constant bitrate.

mod tag;

use std::io::Write;
use std::num::NonZero;

use mp3lame_encoder::{
    Bitrate, Builder, DualPcm, Encoder, FlushGap, MonoPcm, Quality, VbrMode,
    max_required_buffer_size,
};

use super::samples::{beyond_full_scale, finite};
use super::{Encode, EncodeError, FileSpec, Output};
use crate::audio::resample::Resampler;
use crate::audio::{FileFormat, Frames, Stereo};

/// Frames encoded at once.
const PIECE: usize = 16 * 1152;

/// An MP3 file that is being written. Its first frame states the delay of the encoder and the exact length.
pub(super) struct Mp3Encoder {
    resampler: Resampler,
    expected: Frames,
    frames: LameFrames,
}

/// Encodes audio at the rate of the file.
struct LameFrames {
    lame: Encoder,
    output: Output,
    channels: usize,
    /// Factor that undoes LAME's own.
    gain: f32,
    encoded: Vec<u8>,
}

impl Mp3Encoder {
    /// Writes the first frame.
    pub(super) fn start(
        spec: &FileSpec,
        kbits: u32,
        mut output: Output,
    ) -> Result<Mp3Encoder, EncodeError> {
        let rate = tag::coded_rate(spec.rate);
        let resampler = Resampler::new(spec.rate, rate).map_err(failed)?;
        let mut builder = Builder::new().ok_or_else(|| failed("out of memory"))?;
        builder.set_num_channels(spec.channels as u8).map_err(failed)?;
        builder.set_sample_rate(rate.0).map_err(failed)?;
        builder.set_output_sample_rate(NonZero::new(rate.0)).map_err(failed)?;
        builder.set_brate(constant(kbits)).map_err(failed)?;
        builder.set_vbr_mode(VbrMode::Off).map_err(failed)?;
        builder.set_quality(Quality::NearBest).map_err(failed)?;
        // LAME could write it only at the end.
        builder.set_to_write_vbr_tag(false).map_err(failed)?;
        let lame = builder.build().map_err(failed)?;
        let frames = spec.frames.resampled(spec.rate, rate);
        output.write_all(&tag::info_frame(rate, spec.channels, kbits, frames))?;
        let (channels, gain, encoded) = (spec.channels, 1.0 / level(kbits), Vec::new());
        let frames = LameFrames { lame, output, channels, gain, encoded };
        Ok(Mp3Encoder { resampler, expected: spec.frames, frames })
    }
}

impl LameFrames {
    fn encode(&mut self, audio: &Stereo) -> Result<(), EncodeError> {
        for start in (0..audio.len()).step_by(PIECE) {
            let mut piece = audio.slice(start..audio.len().min(start + PIECE));
            piece.scale(self.gain);
            self.encoded.clear();
            self.encoded.reserve(max_required_buffer_size(piece.len()));
            match self.channels {
                1 => {
                    let mono: Vec<f32> = piece.mono().map(finite).collect();
                    self.lame.encode_to_vec(MonoPcm(&mono), &mut self.encoded)
                }
                _ => {
                    let [left, right]: [Vec<f32>; 2] =
                        piece.planes().map(|plane| plane.iter().copied().map(finite).collect());
                    let planes = DualPcm { left: &left, right: &right };
                    self.lame.encode_to_vec(planes, &mut self.encoded)
                }
            }
            .map_err(failed)?;
            self.output.write_all(&self.encoded)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), EncodeError> {
        self.encoded.clear();
        // That of all frames that LAME still holds.
        self.encoded.reserve(max_required_buffer_size(PIECE));
        self.lame.flush_to_vec::<FlushGap>(&mut self.encoded).map_err(failed)?;
        self.output.write_all(&self.encoded)?;
        Ok(self.output.finish()?)
    }
}

impl Encode for Mp3Encoder {
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError> {
        let mut audio = Stereo::new();
        self.resampler.push(block, &mut audio);
        self.frames.encode(&audio)?;
        Ok(beyond_full_scale(block, self.frames.channels))
    }

    fn finish(self: Box<Self>) -> Result<(), EncodeError> {
        let Mp3Encoder { resampler, expected, mut frames } = *self;
        let written = resampler.consumed();
        if written != expected {
            return Err(EncodeError::Length { written, expected });
        }
        let mut rest = Stereo::new();
        resampler.finish(&mut rest);
        frames.encode(&rest)?;
        frames.finish()
    }
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

/// A bitrate of [`bitrate()`](super::bitrate()).
fn constant(kbits: u32) -> Bitrate {
    match kbits {
        64 => Bitrate::Kbps64,
        80 => Bitrate::Kbps80,
        96 => Bitrate::Kbps96,
        112 => Bitrate::Kbps112,
        128 => Bitrate::Kbps128,
        160 => Bitrate::Kbps160,
        192 => Bitrate::Kbps192,
        224 => Bitrate::Kbps224,
        256 => Bitrate::Kbps256,
        _ => Bitrate::Kbps320,
    }
}

fn failed(error: impl std::fmt::Display) -> EncodeError {
    EncodeError::Failed { format: FileFormat::Mp3, cause: error.to_string() }
}
