//! WAV: RIFF, RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088) and Sony Wave64.
//!
//! A `data` chunk extends to the end of the upload if its size is one of those that programs write to
//! pipes, where the length is not known: 0 without a chunk behind it, or about the largest signed or
//! unsigned number of 32 bits.
//! Another RIFF header behind the file begins the next link of a chain.

mod format;

use self::format::{FORMAT_BYTES, WaveFormat};
use super::pcm::next_packet;
use crate::decode::codecs::Codec;
use crate::decode::codecs::pcm::PcmFormat;
use crate::decode::demux::{DemuxEvent, Demuxer, Link};
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, Container, DecodeReport};

/// First bytes of a Wave64 file: the first half of a GUID.
const WAVE64_MAGIC: [u8; 8] = *b"riff\x2e\x91\xcf\x11";
/// Last bytes of the GUIDs of Wave64 chunks.
const WAVE64_TAIL: [u8; 12] = *b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";
/// Larger sizes of 64 bits mean an unknown length: programs write the largest signed or unsigned number
/// to pipes.
const MAX_PLAUSIBLE_BYTES: u64 = 1 << 62;

/// Demuxer of a WAV file or a chain of them.
pub(crate) struct WavDemuxer {
    chunks: ChunkLayout,
    /// Format of the current samples, and how many bytes of them remain, if known.
    data: Option<(PcmFormat, Option<u64>)>,
    /// Offset of the chunk behind the samples.
    next_chunk: u64,
}

/// Layout of chunks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChunkLayout {
    /// Names of four characters, sizes of 32 bits, content padded to 2 bytes.
    Riff,
    /// Names that are GUIDs, sizes of 64 bits that include the header, content padded to 8 bytes.
    Wave64,
}

/// Name and extent of a chunk, as its header states them.
struct Chunk {
    name: [u8; 4],
    /// Offset of the content.
    start: u64,
    /// Bytes of the content.
    length: u64,
    /// Offset of the next chunk.
    next: u64,
}

/// Whether these 12 bytes begin a WAV file.
pub(crate) fn is_magic(head: &[u8]) -> bool {
    let is_riff = matches!(head.get(..4), Some(b"RIFF" | b"RF64" | b"BW64"));
    is_riff && head.get(8..12) == Some(b"WAVE") || head.starts_with(&WAVE64_MAGIC)
}

impl WavDemuxer {
    /// Begins at the position, which must be that of the magic bytes.
    pub(crate) fn open(bytes: &mut ByteReader) -> WavDemuxer {
        WavDemuxer { chunks: ChunkLayout::Riff, data: None, next_chunk: bytes.position() }
    }

    /// Reads the headers of a file; the position must be at its magic bytes and is then at the
    /// samples.
    fn link(&mut self, bytes: &mut ByteReader) -> Result<Link, DecodeError> {
        let start = bytes.position();
        let is_wave64 = bytes.peek(8)?.starts_with(&WAVE64_MAGIC);
        self.chunks = if is_wave64 { ChunkLayout::Wave64 } else { ChunkLayout::Riff };
        bytes.skip(4);
        // End of the file by its header.
        let end = match bytes.array()?.map_or(0, u32::from_le_bytes) {
            0 | u32::MAX => None,
            size => Some(start + 8 + u64::from(size)),
        };
        bytes.seek(start + if is_wave64 { 40 } else { 12 });
        let (mut format, mut data_bytes) = (None, None);
        while let Some(chunk) = self.chunks.chunk(bytes)? {
            match &chunk.name {
                b"fmt " => {
                    let content = bytes.take(chunk.length.min(FORMAT_BYTES) as usize)?;
                    format = Some(WaveFormat::parse(&content)?);
                }
                // RF64 has the actual sizes here, the second one being that of the samples.
                b"ds64" => {
                    bytes.skip(8);
                    data_bytes = bytes.array()?.map(u64::from_le_bytes);
                }
                b"data" => {
                    let format = format.ok_or(malformed("it has no fmt chunk before the data"))?;
                    let frame_bytes = format.pcm.frame_bytes() as u64;
                    let is_empty = chunk.length == 0 && is_followed(bytes, end)?;
                    let length = match chunk.length {
                        0 => is_empty.then_some(0),
                        _ => self.chunks.data_length(&chunk, data_bytes, frame_bytes),
                    };
                    bytes.seek(chunk.start);
                    return Ok(self.begin(format, &chunk, length));
                }
                _ => {}
            }
            bytes.seek(chunk.next);
        }
        Err(malformed("it has no data chunk"))
    }

    fn begin(&mut self, format: WaveFormat, chunk: &Chunk, length: Option<u64>) -> Link {
        let WaveFormat { pcm, rate, layout } = format;
        self.next_chunk = match (length, self.chunks) {
            (None, _) => u64::MAX,
            (Some(_), ChunkLayout::Wave64) => chunk.next,
            (Some(length), ChunkLayout::Riff) => chunk.start + length + length % 2,
        };
        self.data = Some((pcm, length));
        let frames = length.map(|length| length / pcm.frame_bytes() as u64);
        let (container, track) = (Container::Wav, AudioTrack::ONLY);
        Link { container, codec: Codec::Pcm { pcm, layout }, rate, frames, track }
    }

    /// Advances to the next file behind the samples, skipping other chunks; returns whether there is
    /// one.
    fn find_next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<bool, DecodeError> {
        bytes.seek(self.next_chunk);
        loop {
            let head = bytes.peek(12)?;
            if is_magic(head) {
                return Ok(true);
            }
            let is_name = head.len() >= 8 && head[..4].iter().all(|c| matches!(c, 0x20..0x7f));
            if !is_name {
                report.skipped_bytes += bytes.drain()?;
                return Ok(false);
            }
            match self.chunks.chunk(bytes)? {
                Some(chunk) => bytes.seek(chunk.next),
                None => return Ok(false),
            }
        }
    }
}

impl Demuxer for WavDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        if let Some((pcm, left)) = &mut self.data {
            if let Some(packet) = next_packet(*pcm, left, bytes, report)? {
                return Ok(Some(DemuxEvent::Packet(packet)));
            }
            if !self.find_next(bytes, report)? {
                return Ok(None);
            }
        }
        self.link(bytes).map(|link| Some(DemuxEvent::Link(link)))
    }
}

impl ChunkLayout {
    /// Reads the header of the chunk at the position; `None` at the end of the upload.
    fn chunk(self, bytes: &mut ByteReader) -> Result<Option<Chunk>, DecodeError> {
        let at = bytes.position();
        if self == ChunkLayout::Riff {
            let (Some(name), Some(size)) = (bytes.array()?, bytes.array()?) else {
                return Ok(None);
            };
            let (start, length) = (at + 8, u64::from(u32::from_le_bytes(size)));
            return Ok(Some(Chunk { name, start, length, next: start + length + length % 2 }));
        }
        let (Some(name), Some(tail), Some(size)) = (bytes.array()?, bytes.array()?, bytes.array()?)
        else {
            return Ok(None);
        };
        let name = if tail == WAVE64_TAIL { name } else { *b"????" };
        let length = u64::from_le_bytes(size).saturating_sub(24);
        let start = at + 24;
        let next = start.saturating_add(length.min(MAX_PLAUSIBLE_BYTES).next_multiple_of(8));
        Ok(Some(Chunk { name, start, length, next }))
    }

    /// Bytes of samples in the `data` chunk; `None` if unknown. `long` is the size in a `ds64` chunk.
    fn data_length(self, chunk: &Chunk, long: Option<u64>, frame_bytes: u64) -> Option<u64> {
        match (self, chunk.length) {
            (ChunkLayout::Riff, length) if is_unknown(length) => {
                long.filter(|long| (1..MAX_PLAUSIBLE_BYTES).contains(long))
            }
            (ChunkLayout::Riff, length) => Some(length),
            // FFmpeg counts the padding too; an incomplete frame is dropped.
            (ChunkLayout::Wave64, length) => {
                (length < MAX_PLAUSIBLE_BYTES).then(|| length - length % frame_bytes)
            }
        }
    }
}

/// Whether a size of 32 bits is one that programs write to pipes: the largest signed or unsigned number,
/// with or without the header taken off (FFmpeg, GStreamer and others), 0x7ffff000 (SoX) and 0x80000000
/// (arecord).
fn is_unknown(length: u64) -> bool {
    const HEADER_BYTES: u64 = 128;
    let is_near = |end: u32| (u64::from(end) - HEADER_BYTES..=end.into()).contains(&length);
    is_near(u32::MAX) || is_near(i32::MAX as u32) || matches!(length, 0x7fff_f000 | 0x8000_0000)
}

/// Whether another chunk begins at the position, within the file that ends at `end` by its header.
fn is_followed(bytes: &mut ByteReader, end: Option<u64>) -> Result<bool, DecodeError> {
    let (at, head) = (bytes.position(), bytes.peek(8)?);
    let (Some(end), Some(&[a, b, c, d, ref size @ ..])) = (end, head.first_chunk::<8>()) else {
        return Ok(false);
    };
    let size = u32::from_le_bytes([0, 1, 2, 3].map(|i| size[i]));
    let is_name = [a, b, c, d].iter().all(|c| matches!(c, 0x20..0x7f));
    Ok(is_name && at + 8 + u64::from(size) <= end)
}

fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Wav, what }
}
