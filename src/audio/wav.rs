//! Writes WAV files that can be read while they grow.
//!
//! The header has a fixed length, so that the offset of a frame never changes: a `JUNK` chunk reserves
//! the bytes that RF64 needs for its 64-bit sizes (EBU Tech 3306). While the file grows, its sizes are
//! 0xFFFFFFFF, which readers take for "unknown, read to the end"; they are set when it is finished.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Encoding, Frames, Hertz, Stereo};
use crate::files::append_sparse;

/// Bytes before the first frame.
pub const HEADER_BYTES: u64 = 94;

/// Sizes from this on need RF64.
const MAX_PLAIN_BYTES: u64 = u32::MAX as u64;

/// A size that is not known yet.
const UNKNOWN: u32 = u32::MAX;

/// Bytes of one stereo frame.
pub const fn frame_bytes(encoding: Encoding) -> u64 {
    (Stereo::CHANNELS * encoding.bytes_per_sample()) as u64
}

/// Whether this is a WAV file whose header states its length, which is not zero.
pub fn is_complete(mut wav: impl Read + Seek) -> bool {
    match hound::WavReader::new(&mut wav) {
        Ok(reader) => reader.duration() > 0,
        // Of more than 4 GiB, which hound cannot read. The header of a growing file has another name.
        Err(_) => {
            let mut magic = [0; 4];
            let read = wav.rewind().and_then(|()| wav.read_exact(&mut magic));
            read.is_ok() && magic == *b"RF64"
        }
    }
}

/// A stereo WAV file that is being written.
#[derive(Debug)]
pub struct GrowingWav {
    file: File,
    encoding: Encoding,
    rate: Hertz,
    frames: Frames,
    scratch: Vec<u8>,
}

impl GrowingWav {
    /// Creates a file, which must not exist.
    ///
    /// # Errors
    /// I/O errors; `AlreadyExists` if the file exists.
    pub fn create(path: &Path, encoding: Encoding, rate: Hertz) -> io::Result<GrowingWav> {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.write_all(&header(encoding, rate, None))?;
        let (frames, scratch) = (Frames::ZERO, Vec::new());
        Ok(GrowingWav { file, encoding, rate, frames, scratch })
    }

    /// Continues a file of the same encoding and rate behind its first `frames` frames; the rest is
    /// truncated.
    ///
    /// # Errors
    /// I/O errors; `UnexpectedEof` if the file holds fewer frames.
    pub fn resume(
        path: &Path,
        encoding: Encoding,
        rate: Hertz,
        frames: Frames,
    ) -> io::Result<GrowingWav> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let end = HEADER_BYTES + frames.0 * frame_bytes(encoding);
        if file.metadata()?.len() < end {
            let text = format!("{} holds fewer than {frames} frames", path.display());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        file.set_len(end)?;
        file.write_all(&header(encoding, rate, None))?;
        file.seek(SeekFrom::Start(end))?;
        Ok(GrowingWav { file, encoding, rate, frames, scratch: Vec::new() })
    }

    /// Appends frames and returns how many samples were clipped. Passages of digital silence take no disk space.
    ///
    /// # Errors
    /// I/O errors.
    pub fn append(&mut self, audio: &Stereo) -> io::Result<u64> {
        self.scratch.clear();
        let clipped = self.encoding.write_frames(audio, &mut self.scratch);
        append_sparse(&mut self.file, &self.scratch)?;
        self.frames += audio.frames();
        Ok(clipped)
    }

    /// Appends whole stereo frames that are already encoded, like [`GrowingWav::append`].
    ///
    /// # Errors
    /// I/O errors.
    pub fn append_encoded(&mut self, bytes: &[u8]) -> io::Result<()> {
        debug_assert_eq!(bytes.len() as u64 % frame_bytes(self.encoding), 0);
        append_sparse(&mut self.file, bytes)?;
        self.frames += Frames(bytes.len() as u64 / frame_bytes(self.encoding));
        Ok(())
    }

    /// Frames written so far.
    pub fn frames(&self) -> Frames {
        self.frames
    }

    /// Sets the sample rate that [`finish`](GrowingWav::finish) writes, if it was unknown before.
    pub fn set_rate(&mut self, rate: Hertz) {
        self.rate = rate;
    }

    /// Syncs all frames to the disk.
    ///
    /// # Errors
    /// I/O errors.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Writes the final header and syncs the file to the disk.
    ///
    /// # Errors
    /// I/O errors.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.encoding, self.rate, Some(self.frames)))?;
        self.file.sync_all()
    }
}

/// The header of a stereo file of `frames` frames, `None` while it grows; [`HEADER_BYTES`] long.
pub fn header(encoding: Encoding, rate: Hertz, frames: Option<Frames>) -> Vec<u8> {
    header_of(encoding, Stereo::CHANNELS, rate, frames, 0)
}

/// The same for a file of so many channels, with `behind` bytes of chunks behind the frames.
pub fn header_of(
    encoding: Encoding,
    channels: usize,
    rate: Hertz,
    frames: Option<Frames>,
    behind: u64,
) -> Vec<u8> {
    let frame = (channels * encoding.bytes_per_sample()) as u64;
    let data = frames.map(|frames| frames.0 * frame);
    // With the padding of an odd length, which only mono files have.
    let riff = data.map(|data| HEADER_BYTES - 8 + data.next_multiple_of(2) + behind);
    let fits =
        |size: Option<u64>| size.filter(|&s| s < MAX_PLAIN_BYTES).map_or(UNKNOWN, |s| s as u32);
    let large = riff.filter(|&size| size >= MAX_PLAIN_BYTES);

    let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
    bytes.extend(if large.is_some() { b"RF64" } else { b"RIFF" });
    bytes.extend(fits(riff).to_le_bytes());
    bytes.extend(b"WAVE");
    match (large, data, frames) {
        (Some(riff), Some(data), Some(frames)) => {
            bytes.extend(b"ds64");
            bytes.extend(28_u32.to_le_bytes());
            bytes.extend(riff.to_le_bytes());
            bytes.extend(data.to_le_bytes());
            bytes.extend(frames.0.to_le_bytes());
            bytes.extend(0_u32.to_le_bytes());
        }
        _ => {
            bytes.extend(b"JUNK");
            bytes.extend(28_u32.to_le_bytes());
            bytes.extend([0; 28]);
        }
    }
    // WAVE_FORMAT_IEEE_FLOAT or WAVE_FORMAT_PCM.
    let tag: u16 = if encoding == Encoding::F32Le { 3 } else { 1 };
    let bits = 8 * encoding.bytes_per_sample() as u16;
    bytes.extend(b"fmt ");
    bytes.extend(18_u32.to_le_bytes());
    bytes.extend(tag.to_le_bytes());
    bytes.extend((channels as u16).to_le_bytes());
    bytes.extend(rate.0.to_le_bytes());
    bytes.extend((rate.0.saturating_mul(frame as u32)).to_le_bytes());
    bytes.extend((frame as u16).to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes.extend(b"fact");
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(fits(frames.map(|frames| frames.0)).to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(fits(data).to_le_bytes());
    debug_assert_eq!(bytes.len() as u64, HEADER_BYTES);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(frames: usize) -> Stereo {
        let left: Vec<f32> = (0..frames).map(|i| i as f32 / 1024.0).collect();
        Stereo::from_planes(left.clone(), left.iter().map(|s| -s).collect()).unwrap()
    }

    #[track_caller]
    fn check(encoding: Encoding, bits: u16, read: impl Fn(&Path) -> Vec<f32>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stem.wav");
        let mut wav = GrowingWav::create(&path, encoding, Hertz(48_000)).unwrap();
        wav.append(&ramp(100)).unwrap();
        wav.append(&ramp(11)).unwrap();
        drop(wav);
        let mut wav = GrowingWav::resume(&path, encoding, Hertz(48_000), Frames(100)).unwrap();
        wav.append(&ramp(3)).unwrap();
        assert_eq!(wav.frames(), Frames(103));
        wav.finish().unwrap();
        let spec = hound::WavReader::open(&path).unwrap().spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 48_000, bits));
        let mut expected = ramp(100);
        expected.extend(&ramp(3));
        assert_eq!(read(&path), expected.interleaved().collect::<Vec<_>>());
    }

    #[test]
    fn hound_reads_every_frame() {
        let open = |path: &Path| hound::WavReader::open(path).unwrap();
        check(Encoding::F32Le, 32, |path| {
            open(path).samples::<f32>().map(Result::unwrap).collect()
        });
        check(Encoding::S16Le, 16, |path| {
            open(path).samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect()
        });
        check(Encoding::S24Le, 24, |path| {
            open(path).samples::<i32>().map(|s| s.unwrap() as f32 / 8_388_608.0).collect()
        });
    }

    #[test]
    fn resuming_beyond_the_end_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stem.wav");
        GrowingWav::create(&path, Encoding::F32Le, Hertz(44_100))
            .unwrap()
            .append(&ramp(5))
            .unwrap();
        let error = GrowingWav::resume(&path, Encoding::F32Le, Hertz(44_100), Frames(6));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn large_files_become_rf64() {
        let frames = Frames(u64::from(u32::MAX) / 8 + 1);
        let bytes = header(Encoding::F32Le, Hertz(44_100), Some(frames));
        assert_eq!((&bytes[..4], &bytes[12..16]), (&b"RF64"[..], &b"ds64"[..]));
        assert_eq!(bytes[28..36], (frames.0 * 8).to_le_bytes());
        assert_eq!(bytes[36..44], frames.0.to_le_bytes());
        let plain = header(Encoding::F32Le, Hertz(44_100), Some(Frames(10)));
        assert_eq!((&plain[..4], &plain[12..16]), (&b"RIFF"[..], &b"JUNK"[..]));
        assert_eq!(plain[4..8], (94_u32 - 8 + 80).to_le_bytes());
    }
}
