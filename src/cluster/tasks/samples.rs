//! Samples as bytes: planes of float32, little-endian, in pieces.

use std::sync::Arc;

use prost::bytes::{Bytes, BytesMut};

use crate::audio::Stereo;

/// Bytes of a piece. Small enough that pings and other calls are not delayed, large enough to cost little.
const PIECE_BYTES: usize = 256 << 10;

/// Bytes of a sample.
const SAMPLE_BYTES: usize = size_of::<f32>();

/// The pieces of all planes, left before right.
pub(super) fn pieces(stems: Arc<Vec<Stereo>>) -> impl Iterator<Item = Bytes> + Send {
    let planes = stems.len() * Stereo::CHANNELS;
    (0..planes).flat_map(move |plane| {
        let stems = Arc::clone(&stems);
        let samples = PIECE_BYTES / SAMPLE_BYTES;
        let pieces = stems[plane / Stereo::CHANNELS].len().div_ceil(samples);
        (0..pieces).map(move |piece| {
            let plane = stems[plane / Stereo::CHANNELS].planes()[plane % Stereo::CHANNELS];
            let part = plane.chunks(samples).nth(piece).unwrap_or_default();
            let mut bytes = Vec::new();
            write(part, &mut bytes);
            bytes.into()
        })
    })
}

/// Replaces `bytes` by those of samples.
fn write(samples: &[f32], bytes: &mut Vec<u8>) {
    // All at once: to append them one by one takes about seven times as long.
    bytes.resize(samples.len() * SAMPLE_BYTES, 0);
    let (places, _) = bytes.as_chunks_mut();
    places.iter_mut().zip(samples).for_each(|(place, sample)| *place = sample.to_le_bytes());
}

/// The CRC-32C of all planes.
pub(super) fn checksum(stems: &[Stereo]) -> u32 {
    let mut buffer = Vec::new();
    stems.iter().flat_map(Stereo::planes).flat_map(|plane| plane.chunks(1 << 14)).fold(
        0,
        |checksum, samples| {
            write(samples, &mut buffer);
            crc32c::crc32c_append(checksum, &buffer)
        },
    )
}

/// The planes of so many stems of so many frames, as they arrive.
#[derive(Debug)]
pub(super) struct SampleReader {
    stems: usize,
    frames: usize,
    checksum: u32,
    /// Left before right; the last one may be incomplete.
    planes: Vec<Vec<f32>>,
    /// The beginning of a sample.
    rest: BytesMut,
}

/// The samples are not those that were announced.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum SamplesError {
    /// There are too many.
    #[error("there are more than the {expected} bytes of samples that were announced")]
    TooMany {
        /// The bytes that were announced.
        expected: usize,
    },
    /// There are too few.
    #[error("there are {bytes} of the {expected} bytes of samples that were announced")]
    TooFew {
        /// The bytes that arrived.
        bytes: usize,
        /// Those that were announced.
        expected: usize,
    },
    /// They were changed on the way.
    #[error("the samples differ from their checksum")]
    Damaged,
}

impl SampleReader {
    /// Expects so many stems of so many frames.
    pub(super) fn new(stems: usize, frames: usize) -> SampleReader {
        SampleReader { stems, frames, checksum: 0, planes: Vec::new(), rest: BytesMut::new() }
    }

    fn expected(&self) -> usize {
        self.stems * Stereo::CHANNELS * self.frames * SAMPLE_BYTES
    }

    fn received(&self) -> usize {
        let samples: usize = self.planes.iter().map(Vec::len).sum();
        samples * SAMPLE_BYTES + self.rest.len()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`SamplesError::TooMany`].
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), SamplesError> {
        let expected = self.expected();
        if self.received() + bytes.len() > expected {
            return Err(SamplesError::TooMany { expected });
        }
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        let missing = if self.rest.is_empty() { 0 } else { SAMPLE_BYTES - self.rest.len() };
        let (head, tail) = bytes.split_at(missing.min(bytes.len()));
        self.rest.extend_from_slice(head);
        if self.rest.len() == SAMPLE_BYTES {
            let rest = std::mem::take(&mut self.rest);
            self.add_samples(rest.as_chunks().0);
        }
        let (whole, rest) = tail.as_chunks();
        self.add_samples(whole);
        self.rest.extend_from_slice(rest);
        Ok(())
    }

    /// Takes samples, of which there are no more than are expected.
    fn add_samples(&mut self, mut samples: &[[u8; SAMPLE_BYTES]]) {
        while !samples.is_empty() {
            let mut plane = match self.planes.pop() {
                Some(plane) if plane.len() < self.frames => plane,
                full => {
                    self.planes.extend(full);
                    Vec::with_capacity(self.frames)
                }
            };
            let (own, others) = samples.split_at(samples.len().min(self.frames - plane.len()));
            plane.extend(own.iter().map(|&bytes| f32::from_le_bytes(bytes)));
            self.planes.push(plane);
            samples = others;
        }
    }

    /// The stems, once all samples have arrived.
    ///
    /// # Errors
    /// [`SamplesError`].
    pub(super) fn finish(self, checksum: u32) -> Result<Vec<Stereo>, SamplesError> {
        let (bytes, expected) = (self.received(), self.expected());
        if bytes < expected {
            return Err(SamplesError::TooFew { bytes, expected });
        }
        if self.checksum != checksum {
            return Err(SamplesError::Damaged);
        }
        let mut planes = self.planes.into_iter();
        let mut plane = || planes.next().unwrap_or_default();
        let stem = |_| Stereo::from_planes(plane(), plane()).unwrap_or_default();
        Ok((0..self.stems).map(stem).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(frames: usize) -> Vec<Stereo> {
        let plane = |seed: u32| (0..frames as u32).map(|i| ((i * 7 + seed) as f32).sin()).collect();
        (0..3).map(|i| Stereo::from_planes(plane(i), plane(100 + i)).unwrap()).collect()
    }

    #[test]
    fn samples_come_as_they_were_sent_however_they_are_cut() {
        for frames in [0, 1, PIECE_BYTES / 4, PIECE_BYTES / 4 + 3] {
            let sent = stems(frames);
            let bytes: Vec<u8> = pieces(Arc::new(sent.clone())).flatten().collect();
            assert_eq!(bytes.len(), frames * 24);
            for cut in [1, 3, 4, 6, 1 << 20].into_iter().filter(|cut| frames < 9 || *cut > 3) {
                let mut reader = SampleReader::new(3, frames);
                bytes.chunks(cut).for_each(|part| reader.add(part).unwrap());
                assert_eq!(reader.finish(checksum(&sent)).unwrap(), sent, "{frames} {cut}");
            }
        }
    }

    #[test]
    fn other_samples_than_announced_are_refused() {
        let sent = stems(5);
        let bytes: Vec<u8> = pieces(Arc::new(sent.clone())).flatten().collect();
        let finish = |bytes: &[u8]| {
            let mut reader = SampleReader::new(3, 5);
            reader.add(bytes)?;
            reader.finish(checksum(&sent))
        };
        assert!(finish(&bytes).is_ok());
        let expected = 120;
        assert_eq!(finish(&bytes[1..]), Err(SamplesError::TooFew { bytes: 119, expected }));
        assert_eq!(finish(&[&bytes[..], &[0]].concat()), Err(SamplesError::TooMany { expected }));
        let mut damaged = bytes.clone();
        damaged[77] ^= 1;
        assert_eq!(finish(&damaged), Err(SamplesError::Damaged));
    }
}
