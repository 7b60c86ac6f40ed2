//! Encodes the packets of a track of an MP4 file.

use std::io;

use super::aac;
use super::alac::{self, AlacDepth, AlacEncoder};
use super::encoder_process::EncoderProcess;
use super::mp4::TrackCodec;
use super::samples::{SampleWriter, beyond_full_scale};
use crate::audio::{Hertz, Stereo};
use crate::process::Ffmpeg;

/// The encoder of a track.
pub(super) enum TrackEncoder {
    Alac(AlacTrack),
    Aac(EncoderProcess),
}

/// Frames that do not fill a packet yet, and the encoder.
pub(super) struct AlacTrack {
    depth: AlacDepth,
    samples: SampleWriter,
    pending: Vec<u8>,
    encoder: AlacEncoder,
}

impl TrackEncoder {
    /// An encoder without loss, of these samples: integers of 16 or 24 bits.
    pub(super) fn alac(samples: SampleWriter) -> TrackEncoder {
        let depth = match samples.encoding().bytes_per_sample() {
            2 => AlacDepth::Bits16,
            _ => AlacDepth::Bits24,
        };
        let encoder = AlacEncoder::new(depth, samples.channels());
        TrackEncoder::Alac(AlacTrack { depth, samples, pending: Vec::new(), encoder })
    }

    /// An encoder of AAC at so many kbit/s.
    ///
    /// # Errors
    /// FFmpeg cannot be started.
    pub(super) fn aac(
        ffmpeg: &Ffmpeg,
        rate: Hertz,
        channels: usize,
        kbits: u32,
    ) -> io::Result<TrackEncoder> {
        Ok(TrackEncoder::Aac(aac::start(ffmpeg, rate, channels as u8, kbits)?))
    }

    /// The codec.
    pub(super) fn codec(&self) -> TrackCodec {
        match self {
            TrackEncoder::Alac(alac) => TrackCodec::Alac(alac.depth),
            TrackEncoder::Aac(_) => TrackCodec::Aac,
        }
    }

    /// Encodes a block. Calls `done` with each packet that is complete by now. Returns how many samples were clipped, or
    /// will be when the file is played.
    ///
    /// # Errors
    /// FFmpeg fails; errors of `done`.
    pub(super) fn write(
        &mut self,
        block: &Stereo,
        mut done: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        match self {
            TrackEncoder::Alac(alac) => alac.write(block, done),
            TrackEncoder::Aac(process) => {
                process.write(block, &mut done)?;
                Ok(beyond_full_scale(block, process.channels()))
            }
        }
    }

    /// Encodes what is pending. Calls `done` with each remaining packet.
    ///
    /// # Errors
    /// Those of [`write`](TrackEncoder::write).
    pub(super) fn finish(
        &mut self,
        mut done: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            TrackEncoder::Alac(alac) if alac.pending.is_empty() => Ok(()),
            TrackEncoder::Alac(alac) => done(&alac.encode()),
            TrackEncoder::Aac(process) => process.finish(done),
        }
    }
}

impl AlacTrack {
    fn write(
        &mut self,
        block: &Stereo,
        mut done: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let packet_bytes = alac::PACKET_FRAMES * self.samples.frame_bytes();
        let mut clipped = 0;
        let mut at = 0;
        while at < block.len() {
            let missing = alac::PACKET_FRAMES - self.pending.len() / self.samples.frame_bytes();
            let end = block.len().min(at + missing);
            clipped += self.samples.write(&block.slice(at..end), &mut self.pending);
            at = end;
            if self.pending.len() == packet_bytes {
                done(&self.encode())?;
            }
        }
        Ok(clipped)
    }

    /// Encodes the pending frames, at most a packet.
    fn encode(&mut self) -> Vec<u8> {
        let bytes = self.samples.encoding().bytes_per_sample();
        let channels = self.samples.channels();
        let mut planes = vec![Vec::with_capacity(alac::PACKET_FRAMES); channels];
        for (index, sample) in self.pending.chunks_exact(bytes).enumerate() {
            let sample = match *sample {
                [low, high] => i16::from_le_bytes([low, high]).into(),
                [low, middle, high] => i32::from_le_bytes([0, low, middle, high]) >> 8,
                _ => 0,
            };
            planes[index % channels].push(sample);
        }
        self.pending.clear();
        let planes: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
        self.encoder.encode(&planes)
    }
}
