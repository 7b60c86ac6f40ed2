//! Fuzz targets of decoding.

mod mend;

use std::io;
use std::sync::Arc;

use super::containers::{matroska, wav};
use super::{Block, Container, DecodeLimits, DecodeReport, Decoder, Input, ReadAt};
use crate::audio::{Encoding, Hertz};

/// Decoding stops after so many frames, half a minute of them: silence compresses without bound.
const MAX_FRAMES: u64 = 30 * 48_000;

/// Pieces are shorter than small files and yet not so short that reading them takes most of the time.
const MAX_PIECE_BYTES: usize = 997;

/// An upload of one container: its magic bytes are written over the first bytes if they are missing.
pub(crate) fn container(container: Container, bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    write_magic(container, &mut bytes);
    // Half of the inputs have checksums as they are, so that both sides of the check are reached.
    if bytes.last().is_some_and(|last| last % 2 == 0) {
        match container {
            Container::Ogg => mend::ogg(&mut bytes),
            Container::Flac => mend::flac(&mut bytes),
            _ => {}
        }
    }
    check(&bytes, &Input::Container);
}

/// An upload of raw samples, whose first byte selects the encoding, rate and channels.
pub(crate) fn raw(bytes: &[u8]) {
    let Some((&kind, samples)) = bytes.split_first() else { return };
    let encodings = [Encoding::F32Le, Encoding::S16Le, Encoding::S24Le];
    let rates = [8_000, 44_100, 48_000, 0, 1, u32::MAX];
    let input = Input::Raw {
        encoding: encodings[usize::from(kind) % 3],
        rate: Hertz(rates[usize::from(kind / 3) % 6]),
        channels: kind / 18 % 4,
    };
    check(samples, &input);
}

fn write_magic(container: Container, bytes: &mut [u8]) {
    let is_wav = wav::is_magic(bytes.get(..12).unwrap_or_default());
    let mut write = |at: usize, magic: &[u8]| {
        if let Some(place) = bytes.get_mut(at..at + magic.len()) {
            place.copy_from_slice(magic);
        }
    };
    match container {
        Container::Flac => write(0, b"fLaC"),
        Container::Ogg => write(0, b"OggS"),
        Container::Matroska => write(0, &matroska::MAGIC),
        Container::Aiff => {
            write(0, b"FORM");
            write(8, b"AIF");
        }
        Container::Wav if !is_wav => {
            write(0, b"RIFF");
            write(8, b"WAVE");
        }
        // The kind of the first box is one of several, and MP3 has no magic bytes.
        _ => {}
    }
}

/// All that comes of an upload.
#[derive(Debug, PartialEq)]
struct FuzzResult {
    blocks: Vec<Block>,
    report: Option<DecodeReport>,
    error: Option<String>,
}

/// Decodes the bytes twice, as they arrive at once and in small pieces.
fn check(bytes: &[u8], input: &Input) {
    let bytes: Arc<[u8]> = bytes.into();
    let whole = decode(FuzzUpload { bytes: Arc::clone(&bytes), most: usize::MAX }, input);
    let pieces = decode(FuzzUpload { bytes, most: MAX_PIECE_BYTES }, input);
    assert!(whole == pieces, "decoding depends on the pieces in which the bytes arrive");
}

fn decode(upload: FuzzUpload, input: &Input) -> FuzzResult {
    let mut outcome = FuzzResult { blocks: Vec::new(), report: None, error: None };
    let mut decoder = match Decoder::open(Box::new(upload), input, &DecodeLimits::default()) {
        Ok(decoder) => decoder,
        Err(error) => return FuzzResult { error: Some(error.to_string()), ..outcome },
    };
    let mut frames = 0;
    while frames < MAX_FRAMES {
        match decoder.next_block() {
            Ok(Some(block)) => {
                assert!(!block.audio.is_empty(), "an empty block");
                let samples = block.audio.planes().into_iter().flatten();
                assert!(samples.copied().all(f32::is_finite), "a sample is not finite");
                frames += block.audio.frames().0;
                outcome.blocks.push(block);
            }
            Ok(None) => break,
            Err(error) => {
                outcome.error = Some(error.to_string());
                break;
            }
        }
    }
    outcome.report = Some(decoder.report());
    outcome
}

/// Bytes that are all there, of which one read returns `most` at most.
struct FuzzUpload {
    bytes: Arc<[u8]>,
    most: usize,
}

impl ReadAt for FuzzUpload {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.bytes.get(start..).unwrap_or_default();
        // The length depends on the offset, so that it varies.
        let most = if self.most == usize::MAX { usize::MAX } else { 1 + start % self.most };
        let count = rest.len().min(into.len()).min(most);
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
