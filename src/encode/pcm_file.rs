//! Files without compression: WAV and AIFF.

use std::io::Write;

use super::samples::SampleWriter;
use super::{Encode, EncodeError, FileSpec, Output, aiff};
use crate::audio::{FileFormat, Frames, Stereo, wav};

/// The layout of a file without compression: a header, frames of equal size, and padding to an even length. Any range of its
/// bytes can be made from the frames within.
#[derive(Debug, Clone, PartialEq)]
pub struct PcmFile {
    header: Vec<u8>,
    samples: SampleWriter,
    is_big_endian: bool,
    frames: Frames,
}

impl PcmFile {
    /// Whether a format has such a layout.
    pub fn is_of(format: FileFormat) -> bool {
        matches!(format.extension(), "wav" | "aiff")
    }

    /// The layout of a file.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] if the format cannot hold as much.
    pub fn new(spec: &FileSpec) -> Result<PcmFile, EncodeError> {
        let samples = SampleWriter::of(spec);
        let is_big_endian = matches!(spec.format, FileFormat::Aiff | FileFormat::AiffS16);
        let (encoding, frames) = (samples.encoding(), spec.frames);
        let header = match is_big_endian {
            true => aiff::header(spec)?,
            false => wav::header_of(encoding, spec.channels, spec.rate, Some(frames)),
        };
        Ok(PcmFile { header, samples, is_big_endian, frames })
    }

    /// The bytes before the first frame.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> u64 {
        self.samples.frame_bytes() as u64
    }

    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        let size = self.header.len() as u64 + self.data_bytes();
        size.next_multiple_of(2)
    }

    /// Bytes of all frames.
    pub fn data_bytes(&self) -> u64 {
        self.frames.0 * self.frame_bytes()
    }

    /// Appends the bytes of a block of frames. Returns how many samples were clipped.
    pub fn write(&self, block: &Stereo, bytes: &mut Vec<u8>) -> u64 {
        let start = bytes.len();
        let clipped = self.samples.write(block, bytes);
        if self.is_big_endian {
            let samples =
                bytes[start..].chunks_exact_mut(self.samples.encoding().bytes_per_sample());
            samples.for_each(<[u8]>::reverse);
        }
        clipped
    }
}

/// Writes such a file.
pub(super) struct PcmEncoder {
    file: PcmFile,
    output: Output,
    written: Frames,
    scratch: Vec<u8>,
}

impl PcmEncoder {
    /// Writes the header.
    pub(super) fn start(file: PcmFile, mut output: Output) -> Result<PcmEncoder, EncodeError> {
        output.write_all(file.header())?;
        Ok(PcmEncoder { file, output, written: Frames::ZERO, scratch: Vec::new() })
    }
}

impl Encode for PcmEncoder {
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError> {
        self.scratch.clear();
        let clipped = self.file.write(block, &mut self.scratch);
        self.output.write_all(&self.scratch)?;
        self.written += block.frames();
        Ok(clipped)
    }

    fn finish(mut self: Box<Self>) -> Result<(), EncodeError> {
        let (written, expected) = (self.written, self.file.frames);
        if written != expected {
            return Err(EncodeError::Length { written, expected });
        }
        if written.0 * self.file.frame_bytes() % 2 == 1 {
            self.output.write_all(&[0])?;
        }
        Ok(self.output.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::audio::Hertz;
    use crate::encode::encoder;

    #[test]
    fn a_mono_file_has_the_mean_of_both_channels() {
        for frames in [100, 111] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("stem.wav");
            let (format, rate) = (FileFormat::WavS24, Hertz(8_000));
            let spec = FileSpec {
                format,
                channels: 1,
                rate,
                frames: Frames(frames),
                bitrate: None,
                dither_seed: 0,
            };
            let left: Vec<f32> = (0..frames).map(|i| i as f32 / 1024.0).collect();
            let audio = Stereo::from_planes(left.clone(), vec![0.5; frames as usize]).unwrap();
            let mut wav = encoder(&spec, Output::create(&path).unwrap(), None).unwrap();
            wav.write(&audio).unwrap();
            wav.finish().unwrap();
            let bytes = fs::read(&path).unwrap();
            assert_eq!(bytes.len() as u64, PcmFile::new(&spec).unwrap().size());
            assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes());
            let mut reader = hound::WavReader::open(&path).unwrap();
            assert_eq!((reader.spec().channels, reader.duration()), (1, frames as u32));
            let found = reader.samples::<i32>().map(|s| s.unwrap() as f32 / 8_388_608.0);
            let expected = left.iter().map(|sample| (sample + 0.5) / 2.0);
            assert!(found.zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
