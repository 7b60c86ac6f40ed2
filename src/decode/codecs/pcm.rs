//! PCM: every integer, float and G.711 format of the containers, as `f32` with full scale 1.0.

use crate::audio::Encoding;

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleFormat {
    /// 8 bits, silence at 128.
    Unsigned8,
    /// Two's complement in 1 to 4 bytes, left-aligned.
    Signed(usize),
    /// µ-law (ITU-T G.711), 8 bits.
    MuLaw,
    /// A-law (ITU-T G.711), 8 bits.
    ALaw,
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
}

impl SampleFormat {
    /// Bytes of one sample.
    pub(crate) fn bytes(self) -> usize {
        match self {
            SampleFormat::Unsigned8 | SampleFormat::MuLaw | SampleFormat::ALaw => 1,
            SampleFormat::Signed(bytes) => bytes,
            SampleFormat::Float32 => 4,
            SampleFormat::Float64 => 8,
        }
    }

    /// One sample from its bytes, most significant first.
    fn value(self, big_endian: [u8; 8]) -> f32 {
        let [a, b, c, d, ..] = big_endian;
        // The missing bytes of a shorter integer are zero, so that every width has the scale of 32 bits.
        let integer = |bits: [u8; 4]| i32::from_be_bytes(bits) as f32 / 2_147_483_648.0;
        match self {
            SampleFormat::Unsigned8 => integer([a ^ 0x80, 0, 0, 0]),
            SampleFormat::Signed(_) => integer([a, b, c, d]),
            SampleFormat::MuLaw => f32::from(mu_law(a)) / 32_768.0,
            SampleFormat::ALaw => f32::from(a_law(a)) / 32_768.0,
            SampleFormat::Float32 => f32::from_be_bytes([a, b, c, d]),
            SampleFormat::Float64 => f64::from_be_bytes(big_endian) as f32,
        }
    }
}

/// Expands µ-law to 16 bits.
fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i16::from(byte & 15) << 3) + 0x84) << (byte >> 4 & 7);
    if byte >> 7 == 1 { 0x84 - magnitude } else { magnitude - 0x84 }
}

/// Expands A-law to 16 bits.
fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let step = i16::from(byte & 15) << 4;
    let magnitude = match byte >> 4 & 7 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if byte >> 7 == 1 { magnitude } else { -magnitude }
}

impl From<Encoding> for SampleFormat {
    fn from(encoding: Encoding) -> SampleFormat {
        match encoding {
            Encoding::F32Le => SampleFormat::Float32,
            Encoding::S16Le => SampleFormat::Signed(2),
            Encoding::S24Le => SampleFormat::Signed(3),
        }
    }
}

/// Format of interleaved PCM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PcmFormat {
    pub(crate) sample: SampleFormat,
    pub(crate) big_endian: bool,
    pub(crate) channels: usize,
}

impl PcmFormat {
    /// Bytes of one frame: one sample of every channel.
    pub(crate) fn frame_bytes(self) -> usize {
        self.sample.bytes() * self.channels
    }

    /// Fills one plane per channel; an incomplete last frame is dropped.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sample: SampleFormat, big_endian: bool, bytes: &[u8], expected: &[f32]) {
        let mut planes = Vec::new();
        PcmFormat { sample, big_endian, channels: 1 }.decode(bytes, &mut planes);
        assert_eq!(planes, [expected]);
    }

    #[test]
    fn every_width_has_full_scale_1() {
        check(SampleFormat::Unsigned8, false, &[0x80, 0, 0xc0], &[0.0, -1.0, 0.5]);
        check(SampleFormat::Signed(1), true, &[0x80, 0x40], &[-1.0, 0.5]);
        check(SampleFormat::Signed(2), false, &[0, 0x80, 0, 0x40, 9], &[-1.0, 0.5]);
        check(SampleFormat::Signed(3), false, &[0, 0, 0x40], &[0.5]);
        check(SampleFormat::Signed(3), true, &[0xc0, 0, 0], &[-0.5]);
        check(SampleFormat::Signed(4), false, &[0, 0, 0, 0x80], &[-1.0]);
        check(SampleFormat::Float32, true, &1.5_f32.to_be_bytes(), &[1.5]);
        check(SampleFormat::Float64, false, &(-0.25_f64).to_le_bytes(), &[-0.25]);
    }

    #[test]
    fn channels_are_deinterleaved() {
        let mut planes = Vec::new();
        let pcm = PcmFormat { sample: SampleFormat::Signed(2), big_endian: true, channels: 2 };
        pcm.decode(&[0x40, 0, 0xc0, 0, 0x20, 0, 0, 0, 1], &mut planes);
        assert_eq!(planes, [[0.5, 0.25], [-0.5, 0.0]]);
    }
}
