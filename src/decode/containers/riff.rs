//! WAV: RIFF, RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088) and Sony Wave64.
//!
//! Sizes that pipes write because they cannot know better mean "to the end of the upload": a `data`
//! chunk of 0xFFFFFFFF bytes, and one of 0 bytes in a file that claims to end there too. Another
//! RIFF header behind the first file is the next link of a chain.

use super::wave_format::{FORMAT_BYTES, WaveFormat};
use crate::decode::bytes::Bytes;
use crate::decode::codecs::Codec;
use crate::decode::codecs::linear::Linear;
use crate::decode::error::DecodeError;
use crate::decode::packet::{Demux, Event, Link};
use crate::decode::report::{Container, Report};

/// What a Wave64 file begins with: the first half of a GUID.
const WAVE64_MAGIC: [u8; 8] = *b"riff\x2e\x91\xcf\x11";
/// What the GUIDs of Wave64 chunks end with.
const WAVE64_TAIL: [u8; 12] = *b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";
/// Pipes write the largest signed or unsigned number where they do not know the size.
const ABSURD: u64 = 1 << 62;

/// A WAV file, or several.
pub(crate) struct Riff {
    form: Form,
    /// The samples being read, and how many bytes of them are left if that is known.
    data: Option<(Linear, Option<u64>)>,
    /// Where the chunk behind them begins.
    next_chunk: u64,
}

/// How chunks are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Names of four characters, sizes of 32 bits, content padded to 2 bytes.
    Riff,
    /// Names that are GUIDs, sizes of 64 bits that count the header, content padded to 8 bytes.
    Wave64,
}

/// A chunk's name, and where its content lies.
struct Chunk {
    name: [u8; 4],
    start: u64,
    /// As the header says, which may be a lie.
    length: u64,
    /// Where the next one begins.
    next: u64,
}

/// Whether a WAV file begins with these 12 bytes.
pub(crate) fn is_magic(head: &[u8]) -> bool {
    let is_riff = matches!(head.get(..4), Some(b"RIFF" | b"RF64" | b"BW64"));
    is_riff && head.get(8..12) == Some(b"WAVE") || head.starts_with(&WAVE64_MAGIC)
}

impl Riff {
    /// Begins where the magic bytes are.
    pub(crate) fn open(bytes: &mut Bytes) -> Riff {
        Riff { form: Form::Riff, data: None, next_chunk: bytes.position() }
    }

    /// Reads headers up to the samples; the position is at the magic bytes.
    fn link(&mut self, bytes: &mut Bytes) -> Result<Link, DecodeError> {
        let start = bytes.position();
        let is_wave64 = bytes.peek(8)?.starts_with(&WAVE64_MAGIC);
        self.form = if is_wave64 { Form::Wave64 } else { Form::Riff };
        bytes.skip(4);
        // Where the whole file claims to end.
        let end = match bytes.array()?.map_or(0, u32::from_le_bytes) {
            0 | u32::MAX => None,
            size => Some(start + 8 + u64::from(size)),
        };
        bytes.seek(start + if is_wave64 { 40 } else { 12 });
        let (mut format, mut data_bytes) = (None, None);
        while let Some(chunk) = self.form.chunk(bytes)? {
            match &chunk.name {
                b"fmt " => {
                    let content = bytes.take(chunk.length.min(FORMAT_BYTES) as usize)?;
                    format = Some(WaveFormat::parse(&content)?);
                }
                // RF64 keeps true sizes here, that of the samples second.
                b"ds64" => {
                    bytes.skip(8);
                    data_bytes = bytes.array()?.map(u64::from_le_bytes);
                }
                b"data" => {
                    let format = format.ok_or(broken("it has no fmt chunk before the data"))?;
                    let frame_bytes = format.linear.frame_bytes() as u64;
                    let length = self.form.data_length(&chunk, end, data_bytes, frame_bytes);
                    bytes.seek(chunk.start);
                    return Ok(self.begin(format, &chunk, length));
                }
                _ => {}
            }
            bytes.seek(chunk.next);
        }
        Err(broken("it has no data chunk"))
    }

    fn begin(&mut self, format: WaveFormat, chunk: &Chunk, length: Option<u64>) -> Link {
        let WaveFormat { linear, rate, layout } = format;
        self.next_chunk = match (length, self.form) {
            (None, _) => u64::MAX,
            (Some(_), Form::Wave64) => chunk.next,
            (Some(length), Form::Riff) => chunk.start + length + length % 2,
        };
        self.data = Some((linear, length));
        let frames = length.map(|length| length / linear.frame_bytes() as u64);
        Link { container: Container::Wav, codec: Codec::Pcm { linear, layout }, rate, frames }
    }

    /// Goes to the next file behind the samples and returns whether there is one; all other chunks
    /// are left out.
    fn find_next(&mut self, bytes: &mut Bytes, report: &mut Report) -> Result<bool, DecodeError> {
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
            match self.form.chunk(bytes)? {
                Some(chunk) => bytes.seek(chunk.next),
                None => return Ok(false),
            }
        }
    }
}

impl Demux for Riff {
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError> {
        if let Some((linear, left)) = &mut self.data {
            if let Some(packet) = linear.packet(left, bytes, report)? {
                return Ok(Some(Event::Packet(packet)));
            }
            if !self.find_next(bytes, report)? {
                return Ok(None);
            }
        }
        self.link(bytes).map(|link| Some(Event::Link(link)))
    }
}

impl Form {
    /// The chunk that begins here, the position being that of its content; `None` at the end.
    fn chunk(self, bytes: &mut Bytes) -> Result<Option<Chunk>, DecodeError> {
        let at = bytes.position();
        if self == Form::Riff {
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
        let next = start.saturating_add(length.min(ABSURD).next_multiple_of(8));
        Ok(Some(Chunk { name, start, length, next }))
    }

    /// How many bytes of samples there are, where that can be known: from the chunk, where the file
    /// claims to end, and what RF64 says.
    fn data_length(
        self,
        chunk: &Chunk,
        end: Option<u64>,
        long: Option<u64>,
        frame_bytes: u64,
    ) -> Option<u64> {
        const UNKNOWN: u64 = u32::MAX as u64;
        match (self, chunk.length) {
            (_, 0) if end.is_none_or(|end| end <= chunk.start) || self == Form::Wave64 => None,
            (Form::Riff, UNKNOWN) => long.filter(|long| (1..ABSURD).contains(long)),
            (Form::Riff, length) => Some(length),
            // FFmpeg counts the padding, too: what is no whole frame is left out.
            (Form::Wave64, length) => (length < ABSURD).then(|| length - length % frame_bytes),
        }
    }
}

fn broken(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Wav, what }
}
