//! MP3, and MPEG audio of layers I and II: a sequence of frames with tags around it.
//!
//! - The encoder's delay and padding are removed if a LAME or Lavc information tag states them, as
//!   FFmpeg does.
//! - An information tag between frames, or a change of rate or channels, begins the next link of a
//!   chain: concatenated files are each trimmed by their own tag.
//! - Where no frame follows a frame, the next two frames of the same kind are searched, and the bytes
//!   in between become as many frames of silence as would have fitted there.

pub(crate) mod header;
mod info;

use super::tags;
use crate::audio::Hertz;
use crate::decode::codecs::Codec;
use crate::decode::containers::mp3::header::Header;
use crate::decode::containers::mp3::info::Info;
use crate::decode::demux::{DemuxEvent, Demuxer, Link, Packet, Trim};
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, Container, DecodeReport};

/// The layer of MP3.
pub(crate) const LAYER_3: u32 = 3;
/// More than two frames of any kind, so that the two headers behind a frame can be checked.
pub(crate) const WINDOW_BYTES: usize = 8192;
/// Bytes of a window that are searched: behind each of them two frames fit into the rest.
const SEARCH_BYTES: usize = WINDOW_BYTES - 2 * 1732 - 4;

/// Demuxer of frames of one layer.
pub(crate) struct Mp3Demuxer {
    layer: u32,
    /// Header of the last frame; `None` before the first.
    last: Option<Header>,
    trim: Trim,
    /// Bytes skipped since the last frame.
    junk: u64,
    /// The first packet of a link whose event was returned.
    pending: Option<Packet>,
}

impl Mp3Demuxer {
    /// Begins at the position, which must be that of a frame.
    pub(crate) fn open(layer: u32) -> Mp3Demuxer {
        Mp3Demuxer { layer, last: None, trim: Trim::none(), junk: 0, pending: None }
    }

    /// Begins a link with its first frame, which may be an information tag.
    fn begin(&mut self, header: Header, frame: Vec<u8>) -> DemuxEvent {
        self.last = Some(header);
        let info = Info::parse(&frame, &header);
        self.trim = info.as_ref().map_or_else(Trim::none, |info| info.trim(header.frames));
        let frames = info.as_ref().and_then(|info| info.kept_frames(header.frames));
        if info.is_none() {
            self.pending = Some(self.packet(&header, frame));
        }
        let codec = Codec::Mpeg { layer: self.layer, channels: header.channels };
        let container = if self.layer == LAYER_3 { Container::Mp3 } else { Container::Mpeg };
        let rate = Hertz(header.rate);
        DemuxEvent::Link(Link { container, codec, rate, frames, track: AudioTrack::ONLY })
    }

    fn packet(&mut self, header: &Header, frame: Vec<u8>) -> Packet {
        let kept = self.trim.next(header.frames);
        Packet { bytes: frame, frames: header.frames, kept, damaged: false }
    }

    /// Audio frames that the skipped bytes stand for, by the size of the last MP3 frame; `None` if
    /// they are less than half of one.
    fn lost_frames(&mut self, report: &mut DecodeReport) -> Option<u64> {
        let junk = std::mem::take(&mut self.junk);
        report.skipped_bytes += junk;
        let last = self.last?;
        let packets = (junk + last.bytes as u64 / 2) / last.bytes as u64;
        (packets > 0).then(|| packets * u64::from(last.frames))
    }
}

impl Demuxer for Mp3Demuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        if let Some(packet) = self.pending.take() {
            return Ok(Some(DemuxEvent::Packet(packet)));
        }
        loop {
            let head = bytes.peek(4)?;
            if head.len() < 4 {
                report.skipped_bytes += self.junk + bytes.drain()?;
                return Ok(None);
            }
            let header = Header::parse(head).filter(|header| header.layer == self.layer);
            let Some(header) = header else {
                if !tags::skip(bytes)? {
                    self.junk += resync(bytes, self.layer, self.last.as_ref())?;
                }
                continue;
            };
            let is_next = self.last.is_some_and(|last| last.is_like(&header));
            if !is_next && !is_confirmed(bytes.peek(WINDOW_BYTES)?, &header) {
                bytes.skip(1);
                self.junk += 1 + resync(bytes, self.layer, self.last.as_ref())?;
                continue;
            }
            if is_next && let Some(frames) = self.lost_frames(report) {
                let kept = self.trim.next(u32::try_from(frames).unwrap_or(u32::MAX));
                return Ok(Some(DemuxEvent::Gap(kept.len() as u64)));
            }
            let frame = bytes.take(header.bytes)?;
            if frame.len() < header.bytes {
                report.skipped_bytes += frame.len() as u64;
                return Ok(None);
            }
            if !is_next || Info::parse(&frame, &header).is_some() {
                report.skipped_bytes += std::mem::take(&mut self.junk);
                return Ok(Some(self.begin(header, frame)));
            }
            self.last = Some(header);
            return Ok(Some(DemuxEvent::Packet(self.packet(&header, frame))));
        }
    }
}

/// Advances to the first frame within about `limit` bytes and returns its layer.
pub(crate) fn find_first(bytes: &mut ByteReader, limit: usize) -> Result<Option<u32>, DecodeError> {
    let start = bytes.position();
    loop {
        let window = bytes.peek(WINDOW_BYTES)?;
        let found = (0..SEARCH_BYTES.min(window.len())).find_map(|at| {
            let header = Header::parse(&window[at..])?;
            // Headers are short and occur by chance: one alone is enough only at the first byte.
            let is_alone = at > 0 && !matches!(follows(&window[at..], &header), Some(Some(_)));
            (!is_alone && is_confirmed(&window[at..], &header)).then_some((at, header.layer))
        });
        if let Some((at, layer)) = found {
            bytes.skip(at as u64);
            return Ok(Some(layer));
        }
        let is_last = window.len() < WINDOW_BYTES;
        bytes.skip(SEARCH_BYTES as u64);
        if is_last || bytes.position() - start > limit as u64 {
            return Ok(None);
        }
    }
}

/// Advances to the next frame, or to the end of the upload; returns by how many bytes.
///
/// A frame counts if one more of the last kind follows, or two more of another kind.
fn resync(bytes: &mut ByteReader, layer: u32, last: Option<&Header>) -> Result<u64, DecodeError> {
    let from = bytes.position();
    loop {
        let window = bytes.peek(WINDOW_BYTES)?;
        let found = (0..SEARCH_BYTES.min(window.len())).find(|&at| {
            Header::parse(&window[at..]).is_some_and(|header| {
                let is_like = last.is_some_and(|last| last.is_like(&header));
                header.layer == layer
                    && (is_like && follows(&window[at..], &header).is_some()
                        || is_confirmed(&window[at..], &header))
            })
        });
        let is_last = window.len() < WINDOW_BYTES;
        let searched = found.unwrap_or(SEARCH_BYTES.min(window.len()));
        bytes.skip(searched as u64);
        if found.is_some() || is_last && bytes.at_end()? {
            return Ok(bytes.position() - from);
        }
    }
}

/// Whether two more frames of its kind follow a frame, or fewer up to the end of the upload.
fn is_confirmed(window: &[u8], header: &Header) -> bool {
    match follows(window, header) {
        Some(Some(next)) => follows(&window[header.bytes..], &next).is_some(),
        Some(None) => true,
        None => false,
    }
}

/// The header behind a frame if it is of the same kind; `Some(None)` if a tag follows or the upload
/// ends.
fn follows(window: &[u8], header: &Header) -> Option<Option<Header>> {
    let rest = window.get(header.bytes..)?;
    if rest.len() < 4 {
        return (window.len() < WINDOW_BYTES).then_some(None);
    }
    match Header::parse(rest) {
        Some(next) => next.is_like(header).then_some(Some(next)),
        None => (rest.starts_with(b"TAG") || rest.starts_with(b"APETAGEX")).then_some(None),
    }
}
