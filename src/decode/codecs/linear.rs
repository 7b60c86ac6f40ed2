//! Uncompressed samples: every integer and float that WAV and AIFF hold, as `f32`.

use crate::audio::Encoding;
use crate::decode::bytes::Bytes;
use crate::decode::error::DecodeError;
use crate::decode::packet::Packet;
use crate::decode::report::Report;

/// Frames in a packet cut from a run of uncompressed audio: 93 ms at 44.1 kHz, so that a live
/// source is heard at once.
const PACKET_FRAMES: u32 = 4096;

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    /// Eight bits, silence at 128.
    Unsigned8,
    /// Two's complement in so many bytes, 1 to 4, most significant bit used.
    Signed(usize),
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
}

impl Sample {
    /// Bytes of one sample.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Sample::Unsigned8 => 1,
            Sample::Signed(bytes) => bytes,
            Sample::Float32 => 4,
            Sample::Float64 => 8,
        }
    }

    /// One sample from its bytes, most significant first.
    fn value(self, big_endian: [u8; 8]) -> f32 {
        let [a, b, c, d, ..] = big_endian;
        // The bytes that a shorter integer lacks are zero, so every width has the scale of 32 bits.
        let integer = |bits: [u8; 4]| i32::from_be_bytes(bits) as f32 / 2_147_483_648.0;
        match self {
            Sample::Unsigned8 => integer([a ^ 0x80, 0, 0, 0]),
            Sample::Signed(_) => integer([a, b, c, d]),
            Sample::Float32 => f32::from_be_bytes([a, b, c, d]),
            Sample::Float64 => f64::from_be_bytes(big_endian) as f32,
        }
    }
}

impl From<Encoding> for Sample {
    fn from(encoding: Encoding) -> Sample {
        match encoding {
            Encoding::F32Le => Sample::Float32,
            Encoding::S16Le => Sample::Signed(2),
            Encoding::S24Le => Sample::Signed(3),
        }
    }
}

/// Interleaved uncompressed samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) sample: Sample,
    pub(crate) big_endian: bool,
    pub(crate) channels: usize,
}

impl Linear {
    /// Bytes of one sample of every channel.
    pub(crate) fn frame_bytes(self) -> usize {
        self.sample.bytes() * self.channels
    }

    /// Fills one plane a channel; a part of a frame at the end is left out.
    pub(crate) fn decode(self, bytes: &[u8], planes: &mut Vec<Vec<f32>>) {
        planes.resize_with(self.channels, Vec::new);
        planes.iter_mut().for_each(Vec::clear);
        let width = self.sample.bytes();
        for frame in bytes.chunks_exact(self.frame_bytes().max(1)) {
            for (stored, plane) in frame.chunks_exact(width).zip(planes.iter_mut()) {
                let mut big_endian = [0; 8];
                big_endian[..width].copy_from_slice(stored);
                if !self.big_endian {
                    big_endian[..width].reverse();
                }
                plane.push(self.sample.value(big_endian));
            }
        }
    }

    /// Cuts the next packet from a run of samples, of which `left` bytes are to come if that is
    /// known; `None` at its end, where a part of a frame counts as skipped.
    pub(crate) fn packet(
        self,
        left: &mut Option<u64>,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Packet>, DecodeError> {
        let most = self.frame_bytes() * PACKET_FRAMES as usize;
        let wanted = left.map_or(most, |left| usize::try_from(left).unwrap_or(most).min(most));
        let mut samples = bytes.take(wanted)?;
        if let Some(left) = left {
            *left -= samples.len() as u64;
        }
        let part = samples.len() % self.frame_bytes().max(1);
        report.skipped_bytes += part as u64;
        samples.truncate(samples.len() - part);
        let frames = (samples.len() / self.frame_bytes().max(1)) as u32;
        Ok((frames > 0).then(|| Packet::whole(samples, frames)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sample: Sample, big_endian: bool, bytes: &[u8], expected: &[f32]) {
        let mut planes = Vec::new();
        Linear { sample, big_endian, channels: 1 }.decode(bytes, &mut planes);
        assert_eq!(planes, [expected]);
    }

    #[test]
    fn every_width_has_full_scale_1() {
        check(Sample::Unsigned8, false, &[0x80, 0, 0xc0], &[0.0, -1.0, 0.5]);
        check(Sample::Signed(1), true, &[0x80, 0x40], &[-1.0, 0.5]);
        check(Sample::Signed(2), false, &[0, 0x80, 0, 0x40, 9], &[-1.0, 0.5]);
        check(Sample::Signed(3), false, &[0, 0, 0x40], &[0.5]);
        check(Sample::Signed(3), true, &[0xc0, 0, 0], &[-0.5]);
        check(Sample::Signed(4), false, &[0, 0, 0, 0x80], &[-1.0]);
        check(Sample::Float32, true, &1.5_f32.to_be_bytes(), &[1.5]);
        check(Sample::Float64, false, &(-0.25_f64).to_le_bytes(), &[-0.25]);
    }

    #[test]
    fn channels_are_taken_apart() {
        let mut planes = Vec::new();
        let linear = Linear { sample: Sample::Signed(2), big_endian: true, channels: 2 };
        linear.decode(&[0x40, 0, 0xc0, 0, 0x20, 0, 0, 0, 1], &mut planes);
        assert_eq!(planes, [[0.5, 0.25], [-0.5, 0.0]]);
    }
}
