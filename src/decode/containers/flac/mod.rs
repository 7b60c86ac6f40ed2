//! Native FLAC: frames that do not say how long they are, but carry checksums.
//!
//! - A frame ends where its CRC-16 is right and the next frame, file or tag begins, or the upload
//!   ends. Every frame knows its place, so what is missing becomes silence of that length.
//! - Another `fLaC` header begins the next link of a chain.

pub(crate) mod frame;

use symphonia::core::checksum::Crc16Ansi;
use symphonia::core::io::Monitor;

use super::tags;
use crate::audio::Hertz;
use crate::decode::bytes::Bytes;
use crate::decode::containers::flac::frame::{
    FrameHeader, MAX_HEADER_BYTES, STREAM_INFO_BYTES, StreamInfo,
};
use crate::decode::error::DecodeError;
use crate::decode::limits::Limits;
use crate::decode::packet::{Demux, Event, Link, Packet};
use crate::decode::report::{Container, Report};

const MAGIC: &[u8; 4] = b"fLaC";
/// Reads for the end of a frame come in these steps, so that a frame is not waited for longer than
/// until a little behind its end.
const STEP_BYTES: usize = 1024;
/// The shortest frame: header, one constant subframe, CRC.
const MIN_FRAME_BYTES: usize = 10;
/// Comments are searched for the layout of the channels no further than this.
const MAX_COMMENT_BYTES: usize = 64 * 1024;

/// A FLAC file, or several.
pub(crate) struct Flac {
    packet_bytes: usize,
    /// `None` before the first header.
    info: Option<StreamInfo>,
    /// Where the next frame should lie in the stream, if that can be said.
    position: Option<u64>,
}

/// How a frame ends.
enum End {
    /// So many bytes are a frame by their checksum.
    Whole(usize),
    /// The next frame begins after so many bytes, but the checksum says otherwise.
    Damaged(usize),
    /// No end within so many bytes.
    Lost(usize),
}

impl Flac {
    pub(crate) fn open(limits: &Limits) -> Flac {
        Flac { packet_bytes: limits.packet_bytes, info: None, position: None }
    }

    /// Reads the header blocks; the position is at the magic bytes.
    fn link(&mut self, bytes: &mut Bytes) -> Result<Link, DecodeError> {
        bytes.skip(MAGIC.len() as u64);
        let (mut info, mut comments) = (None, Vec::new());
        loop {
            let Some([kind, a, b, c]) = bytes.array()? else {
                return Err(broken("it ends before the first frame"));
            };
            let length = u32::from_be_bytes([0, a, b, c]);
            let start = bytes.position();
            match kind & 0x7f {
                0 => info = StreamInfo::parse(&bytes.take(STREAM_INFO_BYTES)?),
                4 => comments = bytes.take((length as usize).min(MAX_COMMENT_BYTES))?,
                _ => {}
            }
            bytes.seek(start + u64::from(length));
            if kind & 0x80 != 0 {
                break;
            }
        }
        let info = info.ok_or(broken("it has no valid STREAMINFO"))?;
        let codec = info.codec(Container::Flac, frame::layout(&comments, info.channels))?;
        let (rate, frames) = (Hertz(info.rate), info.frames);
        // A file of known length begins at its beginning; a stream may have been joined later.
        self.position = info.frames.map(|_| 0);
        self.info = Some(info);
        Ok(Link { container: Container::Flac, codec, rate, frames })
    }

    /// Finds the end of the frame that begins here.
    fn end(
        &self,
        info: &StreamInfo,
        header: &FrameHeader,
        bytes: &mut Bytes,
    ) -> Result<End, DecodeError> {
        let most = info.max_frame_bytes().min(self.packet_bytes);
        let mut crc = Crc16Ansi::new(0);
        // Over a whole frame with its CRC the CRC is 0.
        let (mut at, mut last_zero) = (0, None);
        while at < most {
            let window = bytes.peek(at + STEP_BYTES + MAX_HEADER_BYTES)?;
            let is_end = window.len() < at + STEP_BYTES + MAX_HEADER_BYTES;
            let searched = if is_end { window.len() } else { at + STEP_BYTES };
            while at < searched {
                let rest = &window[at..];
                let next = if at < MIN_FRAME_BYTES { None } else { info.frame(rest) };
                let is_zero = at >= MIN_FRAME_BYTES && crc.crc() == 0;
                if is_zero {
                    last_zero = Some(at);
                }
                if is_zero && (next.is_some() || rest.starts_with(MAGIC) || is_tag(rest)) {
                    return Ok(End::Whole(at));
                }
                if next.is_some_and(|next| is_sequel(header, &next)) {
                    return Ok(End::Damaged(at));
                }
                crc.process_byte(rest[0]);
                at += 1;
            }
            if is_end {
                let whole = (crc.crc() == 0 && at >= MIN_FRAME_BYTES).then_some(at).or(last_zero);
                return Ok(whole.map_or(End::Lost(at), End::Whole));
            }
        }
        Ok(End::Lost(at))
    }
}

impl Demux for Flac {
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError> {
        let Some(info) = &self.info else {
            return self.link(bytes).map(|link| Some(Event::Link(link)));
        };
        // Tags are looked for only where a frame has ended: chance makes them, too, and they are
        // left out as far as they say.
        let mut is_border = true;
        loop {
            let head = bytes.peek(MAX_HEADER_BYTES)?;
            if head.is_empty() {
                return Ok(None);
            }
            if head.starts_with(MAGIC) {
                return self.link(bytes).map(|link| Some(Event::Link(link)));
            }
            let Some(header) = info.frame(head) else {
                if !(is_border && is_tag(head) && tags::skip(bytes)?) {
                    bytes.skip(1);
                    report.skipped_bytes += 1;
                    is_border = false;
                }
                continue;
            };
            let (length, damaged) = match self.end(info, &header, bytes)? {
                End::Whole(length) => (length, false),
                End::Damaged(length) => (length, true),
                // Whatever was searched is left out, so that no byte is searched twice.
                End::Lost(length) => {
                    bytes.skip(length as u64);
                    report.skipped_bytes += length as u64;
                    is_border = false;
                    continue;
                }
            };
            // Only now it is known to be a frame, and no chance that lies about its place.
            let expected = self.position.unwrap_or(header.position);
            if header.position > expected {
                self.position = Some(header.position);
                return Ok(Some(Event::Gap(header.position - expected)));
            }
            self.position = Some(header.position + u64::from(header.frames));
            let packet = Packet::whole(bytes.take(length)?, header.frames);
            return Ok(Some(Event::Packet(Packet { damaged, ..packet })));
        }
    }
}

/// Whether a frame may follow another, with at most a few missing in between.
fn is_sequel(frame: &FrameHeader, next: &FrameHeader) -> bool {
    let end = frame.position + u64::from(frame.frames);
    (end..end + 64 * u64::from(frame.frames)).contains(&next.position)
}

/// Whether one of the tags begins here that are found behind FLAC files.
fn is_tag(bytes: &[u8]) -> bool {
    bytes.starts_with(b"TAG") || bytes.starts_with(b"ID3") || bytes.starts_with(b"APETAGEX")
}

fn broken(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Flac, what }
}
