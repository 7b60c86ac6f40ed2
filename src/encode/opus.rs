//! Opus in Ogg (RFC 6716, RFC 7845).

use opus_pure::{Application, MAX_PACKET_BYTES, OggOpusWriter, OpusEncoder, OpusHead, OpusTags};

use super::samples::{beyond_full_scale, finite};
use super::tags::opus_comments;
use super::{Encode, EncodeError, FileSpec, Output};
use crate::audio::resample::Resampler;
use crate::audio::{FileFormat, Frames, Hertz, Stereo};

/// The rate at which Opus is encoded, and that of positions in the file.
const RATE: Hertz = Hertz(48_000);

/// Frames of a packet: 20 ms.
const PACKET: usize = 960;

/// An Opus file that is being written. Its length is exact: the pre-skip states the delay of the encoder, and the position
/// of the last page the end of the audio.
pub(super) struct OpusFileEncoder {
    resampler: Resampler,
    expected: Frames,
    packets: OpusPackets,
}

/// Encodes audio at [`RATE`].
struct OpusPackets {
    encoder: OpusEncoder,
    writer: OggOpusWriter<Output>,
    channels: usize,
    /// Audio that does not fill a packet yet.
    pending: Stereo,
    /// The position of the last page: the delay of the encoder and the audio.
    end: u64,
    packet: Vec<u8>,
}

impl OpusFileEncoder {
    /// Writes the header.
    pub(super) fn start(
        spec: &FileSpec,
        kbits: u32,
        output: Output,
    ) -> Result<OpusFileEncoder, EncodeError> {
        let channels = spec.channels;
        let mut encoder =
            OpusEncoder::new(RATE.0 as i32, channels, Application::Audio).map_err(failed)?;
        encoder.bitrate_bps = (1000 * kbits) as i32;
        let head = OpusHead::for_encoder(&encoder, spec.rate.0);
        let end = u64::from(head.pre_skip) + spec.frames.resampled(spec.rate, RATE).0;
        let mut tags = OpusTags::new();
        for (name, text) in spec.tags.iter().flat_map(opus_comments) {
            tags.push(name, &text).map_err(failed)?;
        }
        let writer = OggOpusWriter::with_tags(output, head, tags).map_err(failed)?;
        let resampler = Resampler::new(spec.rate, RATE).map_err(failed)?;
        let (pending, packet) = (Stereo::new(), vec![0; MAX_PACKET_BYTES]);
        let packets = OpusPackets { encoder, writer, channels, pending, end, packet };
        Ok(OpusFileEncoder { resampler, expected: spec.frames, packets })
    }
}

impl OpusPackets {
    /// Frames behind the packets that were written.
    fn left(&self) -> u64 {
        self.end.saturating_sub(self.writer.granule().unsigned_abs())
    }

    /// Encodes the next packet, which ends with silence if less audio is pending.
    fn write(&mut self) -> Result<(), EncodeError> {
        let mut block = self.pending.take_front(PACKET);
        block.resize(PACKET);
        let samples: Vec<f32> = match self.channels {
            1 => block.mono().map(finite).collect(),
            _ => block.interleaved().map(finite).collect(),
        };
        let bytes = self.encoder.encode(&samples, PACKET, &mut self.packet).map_err(failed)?;
        let packet = self.packet.get(..bytes).unwrap_or_default();
        let frames = self.left().min(PACKET as u64) as u32;
        self.writer.write_packet_with_duration(packet, frames).map_err(failed)
    }
}

impl Encode for OpusFileEncoder {
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError> {
        let packets = &mut self.packets;
        self.resampler.push(block, &mut packets.pending);
        // The last packet is written at the end.
        while packets.pending.len() >= PACKET && packets.left() > PACKET as u64 {
            packets.write()?;
        }
        Ok(beyond_full_scale(block, packets.channels))
    }

    fn finish(self: Box<Self>) -> Result<(), EncodeError> {
        let OpusFileEncoder { resampler, expected, mut packets } = *self;
        let written = resampler.consumed();
        if written != expected {
            return Err(EncodeError::Length { written, expected });
        }
        resampler.finish(&mut packets.pending);
        while packets.left() > 0 {
            packets.write()?;
        }
        Ok(packets.writer.finish().map_err(failed)?.finish()?)
    }
}

fn failed(error: impl std::fmt::Display) -> EncodeError {
    EncodeError::Failed { format: FileFormat::Opus, cause: error.to_string() }
}
