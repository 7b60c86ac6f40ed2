//! Files without compression: WAV and AIFF.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use super::samples::SampleWriter;
use super::tags::{aiff_chunk, wav_chunks};
use super::{Encode, EncodeError, FileSpec, FileTags, Output, aiff};
use crate::audio::{FileFormat, Frames, Stereo, wav};

/// The layout of a file without compression: a header, frames of equal size, padding to an even length, and the chunks of
/// its tags. Any range of its bytes can be made from the frames within.
#[derive(Debug, Clone, PartialEq)]
pub struct PcmFile {
    header: Vec<u8>,
    samples: SampleWriter,
    is_big_endian: bool,
    frames: Frames,
    tags: Option<FileTags>,
    /// Bytes behind the frames.
    trailer_bytes: u64,
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
        let tags = spec.tags.clone();
        let file =
            PcmFile { header: Vec::new(), samples, is_big_endian, frames, tags, trailer_bytes: 0 };
        // The chunks are made again once they are reached: a file that is sent does not hold them all the time.
        let trailer_bytes = file.trailer().len() as u64;
        let behind = trailer_bytes - file.padding();
        let header = match is_big_endian {
            true => aiff::header(spec, behind)?,
            false => wav::header_of(encoding, spec.channels, spec.rate, Some(frames), behind),
        };
        Ok(PcmFile { header, trailer_bytes, ..file })
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
        self.header.len() as u64 + self.data_bytes() + self.trailer_bytes
    }

    /// The bytes behind the frames: padding, and the chunks of the tags.
    pub fn trailer(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.padding() as usize];
        let chunks = if self.is_big_endian { aiff_chunk } else { wav_chunks };
        bytes.extend(self.tags.as_ref().map(chunks).unwrap_or_default());
        bytes
    }

    /// Bytes of the cover in the tags, which are in memory.
    pub fn cover_bytes(&self) -> usize {
        self.tags.as_ref().map_or(0, FileTags::cover_bytes)
    }

    fn padding(&self) -> u64 {
        self.data_bytes() % 2
    }

    /// Adds the tags to a file with the same frames and none.
    ///
    /// # Errors
    /// I/O errors.
    pub fn add_tags(&self, file: &mut File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.header.len() as u64 + self.data_bytes()))?;
        file.write_all(&self.trailer())?;
        file.rewind()?;
        file.write_all(&self.header)?;
        file.sync_all()
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
        self.output.write_all(&self.file.trailer())?;
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
                tags: None,
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
