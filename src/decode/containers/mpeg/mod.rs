//! MP3: a run of frames with tags around it.
//!
//! - The encoder's delay and padding are left out where a LAME or Lavc information tag tells them,
//!   as FFmpeg does; without one nothing is left out.
//! - An information tag in the middle, a change of rate or of channels begins the next link of a
//!   chain: files that were put one behind the other play on, each trimmed by its own tag.
//! - Where a frame is not followed by another one, the next two frames of the same kind are looked
//!   for, and the bytes in between become as many frames of silence as would have fitted there.

pub(crate) mod header;
mod info;

use super::tags;
use crate::audio::Hertz;
use crate::decode::bytes::Bytes;
use crate::decode::codecs::Codec;
use crate::decode::containers::mpeg::header::Header;
use crate::decode::containers::mpeg::info::Info;
use crate::decode::error::DecodeError;
use crate::decode::limits::Limits;
use crate::decode::packet::{Demux, Event, Link, Packet, Trim};
use crate::decode::report::{Container, Report};

/// The layer that is decoded.
pub(crate) const LAYER_3: u32 = 3;
/// More than two frames of any kind, so that two headers behind the first can be looked at.
pub(crate) const WINDOW_BYTES: usize = 8192;
/// How much of a window is searched: from every byte of it two frames fit in the rest.
const SEARCH_BYTES: usize = WINDOW_BYTES - 2 * 1732 - 4;

/// A run of MP3 frames.
pub(crate) struct Mpeg {
    /// The last frame's header; `None` before the first.
    last: Option<Header>,
    trim: Trim,
    /// Bytes left out since the last frame.
    junk: u64,
    /// The frame that began a link and is still to be handed on.
    pending: Option<Packet>,
}

impl Mpeg {
    /// Begins at the first frame.
    pub(crate) fn open() -> Mpeg {
        Mpeg { last: None, trim: Trim::none(), junk: 0, pending: None }
    }

    /// Begins the next link with a whole frame of it.
    fn begin(&mut self, header: Header, frame: Vec<u8>) -> Event {
        self.last = Some(header);
        let info = Info::parse(&frame, &header);
        self.trim = info.as_ref().map_or_else(Trim::none, |info| info.trim(header.frames));
        let frames = info.as_ref().and_then(|info| info.heard(header.frames));
        if info.is_none() {
            self.pending = Some(self.packet(&header, frame));
        }
        let codec = Codec::Mp3 { channels: header.channels };
        let rate = Hertz(header.rate);
        Event::Link(Link { container: Container::Mp3, codec, rate, frames })
    }

    fn packet(&mut self, header: &Header, frame: Vec<u8>) -> Packet {
        let heard = self.trim.next(header.frames);
        Packet { bytes: frame, frames: header.frames, heard, damaged: false }
    }

    /// How many frames the bytes that were left out must have been.
    fn lost_frames(&mut self, report: &mut Report) -> Option<u64> {
        let junk = std::mem::take(&mut self.junk);
        report.skipped_bytes += junk;
        let last = self.last?;
        let packets = (junk + last.bytes as u64 / 2) / last.bytes as u64;
        (packets > 0).then(|| packets * u64::from(last.frames))
    }
}

impl Demux for Mpeg {
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError> {
        if let Some(packet) = self.pending.take() {
            return Ok(Some(Event::Packet(packet)));
        }
        loop {
            let head = bytes.peek(4)?;
            if head.len() < 4 {
                report.skipped_bytes += self.junk + bytes.drain()?;
                return Ok(None);
            }
            let header = Header::parse(head).filter(|header| header.layer == LAYER_3);
            let Some(header) = header else {
                if !tags::skip(bytes)? {
                    self.junk += resync(bytes, self.last.as_ref())?;
                }
                continue;
            };
            let is_next = self.last.is_some_and(|last| last.is_like(&header));
            if !is_next && !is_confirmed(bytes.peek(WINDOW_BYTES)?, &header) {
                bytes.skip(1);
                self.junk += 1 + resync(bytes, self.last.as_ref())?;
                continue;
            }
            if is_next && let Some(frames) = self.lost_frames(report) {
                let heard = self.trim.next(u32::try_from(frames).unwrap_or(u32::MAX));
                return Ok(Some(Event::Gap(heard.len() as u64)));
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
            return Ok(Some(Event::Packet(self.packet(&header, frame))));
        }
    }
}

/// Goes to the first frame, searching as far as the limit, and returns its layer.
pub(crate) fn find_first(bytes: &mut Bytes, limits: &Limits) -> Result<Option<u32>, DecodeError> {
    let start = bytes.position();
    loop {
        let window = bytes.peek(WINDOW_BYTES)?;
        let found = (0..SEARCH_BYTES.min(window.len())).find_map(|at| {
            let header = Header::parse(&window[at..])?;
            // A header alone is enough only where it is the very first thing: they are short.
            let is_alone = at > 0 && !matches!(follows(&window[at..], &header), Some(Some(_)));
            (!is_alone && is_confirmed(&window[at..], &header)).then_some((at, header.layer))
        });
        if let Some((at, layer)) = found {
            bytes.skip(at as u64);
            return Ok(Some(layer));
        }
        let is_last = window.len() < WINDOW_BYTES;
        bytes.skip(SEARCH_BYTES as u64);
        if is_last || bytes.position() - start > limits.probe_bytes as u64 {
            return Ok(None);
        }
    }
}

/// Goes to the next byte where a frame or a tag may begin, or to the end, and returns how far.
///
/// Two frames of the kind that was last are a frame, and so are three of any kind.
fn resync(bytes: &mut Bytes, last: Option<&Header>) -> Result<u64, DecodeError> {
    let from = bytes.position();
    loop {
        let window = bytes.peek(WINDOW_BYTES)?;
        let found = (0..SEARCH_BYTES.min(window.len())).find(|&at| {
            Header::parse(&window[at..]).is_some_and(|header| {
                let is_like = last.is_some_and(|last| last.is_like(&header));
                header.layer == LAYER_3
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

/// Whether two more frames of its kind follow a frame, or as many as the upload still holds.
fn is_confirmed(window: &[u8], header: &Header) -> bool {
    match follows(window, header) {
        Some(Some(next)) => follows(&window[header.bytes..], &next).is_some(),
        Some(None) => true,
        None => false,
    }
}

/// The header behind a frame if it is of the same kind; `Some(None)` where the upload ends behind the
/// frame, or a tag follows.
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
