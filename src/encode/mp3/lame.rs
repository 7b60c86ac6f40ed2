//! The LAME in this program.

use std::io::Write;
use std::num::NonZero;

use mp3lame_encoder::{
    Bitrate, Builder, DualPcm, Encoder, FlushGap, MonoPcm, Quality, VbrMode,
    max_required_buffer_size,
};

use super::failed;
use crate::audio::{Hertz, Stereo};
use crate::encode::samples::finite;
use crate::encode::{EncodeError, Output};

/// Frames encoded at once.
const PIECE: usize = 16 * 1152;

/// Encodes audio at the rate of the file.
pub(super) struct Lame {
    encoder: Encoder,
    channels: usize,
    encoded: Vec<u8>,
}

impl Lame {
    /// An encoder for one of the rates and bitrates of MPEG-1.
    pub(super) fn new(rate: Hertz, channels: usize, kbits: u32) -> Result<Lame, EncodeError> {
        let mut builder = Builder::new().ok_or_else(|| failed("out of memory"))?;
        builder.set_num_channels(channels as u8).map_err(failed)?;
        builder.set_sample_rate(rate.0).map_err(failed)?;
        builder.set_output_sample_rate(NonZero::new(rate.0)).map_err(failed)?;
        builder.set_brate(constant(kbits)).map_err(failed)?;
        builder.set_vbr_mode(VbrMode::Off).map_err(failed)?;
        builder.set_quality(Quality::NearBest).map_err(failed)?;
        // LAME could write it only at the end.
        builder.set_to_write_vbr_tag(false).map_err(failed)?;
        let encoder = builder.build().map_err(failed)?;
        Ok(Lame { encoder, channels, encoded: Vec::new() })
    }

    pub(super) fn encode(
        &mut self,
        audio: &Stereo,
        output: &mut Output,
    ) -> Result<(), EncodeError> {
        for start in (0..audio.len()).step_by(PIECE) {
            let piece = audio.slice(start..audio.len().min(start + PIECE));
            self.encoded.clear();
            self.encoded.reserve(max_required_buffer_size(piece.len()));
            match self.channels {
                1 => {
                    let mono: Vec<f32> = piece.mono().map(finite).collect();
                    self.encoder.encode_to_vec(MonoPcm(&mono), &mut self.encoded)
                }
                _ => {
                    let [left, right]: [Vec<f32>; 2] =
                        piece.planes().map(|plane| plane.iter().copied().map(finite).collect());
                    let planes = DualPcm { left: &left, right: &right };
                    self.encoder.encode_to_vec(planes, &mut self.encoded)
                }
            }
            .map_err(failed)?;
            output.write_all(&self.encoded)?;
        }
        Ok(())
    }

    /// Encodes what is pending.
    pub(super) fn finish(&mut self, output: &mut Output) -> Result<(), EncodeError> {
        self.encoded.clear();
        // That of all frames that LAME still holds.
        self.encoded.reserve(max_required_buffer_size(PIECE));
        self.encoder.flush_to_vec::<FlushGap>(&mut self.encoded).map_err(failed)?;
        Ok(output.write_all(&self.encoded)?)
    }
}

/// A bitrate of [`bitrate()`](super::super::bitrate()).
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
