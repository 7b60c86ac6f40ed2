//! Native FLAC (RFC 9639): frames that do not state their size, but end with a checksum.
//!
//! - A frame ends where its CRC-16 is right and the next frame, file or tag begins, or the upload
//!   ends.
//! - The first frame is the start, whatever its position: a file that was cut without re-encoding
//!   keeps the positions of the whole. Where bytes between two frames are damaged, the positions of
//!   the frames are the length of the silence in between. Frames that follow each other without a
//!   damaged byte follow each other in the audio.
//! - Another `fLaC` header begins the next link of a chain.

pub(crate) mod frame;

use symphonia::core::checksum::Crc16Ansi;
use symphonia::core::io::Monitor;

use super::tags;
use crate::audio::Hertz;
use crate::decode::containers::flac::frame::{
    FrameHeader, MAX_HEADER_BYTES, STREAM_INFO_BYTES, StreamInfo,
};
use crate::decode::demux::{DemuxEvent, Demuxer, Link, Packet};
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, Container, DecodeReport};

const MAGIC: &[u8; 4] = b"fLaC";
/// The end of a frame is searched in steps, so that the demuxer waits only for a little more than
/// the frame.
const STEP_BYTES: usize = 1024;
/// The shortest frame: header, one constant subframe, CRC.
const MIN_FRAME_BYTES: usize = 10;
/// Bytes of comments that are searched for the channel layout.
const MAX_COMMENT_BYTES: usize = 64 * 1024;

/// Demuxer of a FLAC file or a chain of them.
pub(crate) struct FlacDemuxer {
    packet_bytes: usize,
    /// `None` before the first header.
    info: Option<StreamInfo>,
    /// Expected position of the next frame in the stream; `None` if the first frame is damaged.
    position: Option<u64>,
    /// Bytes that are damaged or no part of a frame since the last whole frame.
    lost_bytes: u64,
}

/// Where a frame ends, in bytes from its start.
enum FrameEnd {
    /// The checksum is right.
    Whole(usize),
    /// The next frame begins here, but the checksum is wrong.
    Damaged(usize),
    /// No end up to here.
    NotFound(usize),
}

impl FlacDemuxer {
    pub(crate) fn open(limits: &DecodeLimits) -> FlacDemuxer {
        FlacDemuxer { packet_bytes: limits.packet_bytes, info: None, position: None, lost_bytes: 0 }
    }

    /// Reads the metadata blocks; the position must be at the magic bytes and is then at the first
    /// frame.
    fn link(&mut self, bytes: &mut ByteReader) -> Result<Link, DecodeError> {
        bytes.skip(MAGIC.len() as u64);
        let (mut info, mut comments) = (None, Vec::new());
        loop {
            let Some([kind, a, b, c]) = bytes.array()? else {
                return Err(malformed("it ends before the first frame"));
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
        let info = info.ok_or(malformed("it has no valid STREAMINFO"))?;
        let codec = info.codec(Container::Flac, frame::layout(&comments, info.channels))?;
        let rate = Hertz(info.rate);
        self.position = info.frame(bytes.peek(MAX_HEADER_BYTES)?).map(|header| header.position);
        self.lost_bytes = 0;
        // The header of a file that was cut states the length of the whole.
        let frames = info.frames.filter(|_| self.position.unwrap_or(0) == 0);
        self.info = Some(info);
        let (container, track) = (Container::Flac, AudioTrack::ONLY);
        Ok(Link { container, codec, rate, frames, track })
    }

    /// Frames missing in front of the frame of `length` bytes that was found.
    fn missing(&self, info: &StreamInfo, header: &FrameHeader, length: usize) -> u64 {
        if self.lost_bytes == 0 {
            return 0;
        }
        if let Some(expected) = self.position {
            return header.position.saturating_sub(expected);
        }
        // Nothing but the damaged bytes is in front: as many frames as fit into them, if the file has
        // a length and therefore begins at position 0.
        let frames = self.lost_bytes.div_ceil(length as u64) * u64::from(header.frames);
        info.frames.map_or(0, |_| header.position.min(frames))
    }

    /// Skips bytes that are no frame.
    fn skip(&mut self, count: u64, bytes: &mut ByteReader, report: &mut DecodeReport) {
        bytes.skip(count);
        report.skipped_bytes += count;
        self.lost_bytes += count;
    }

    /// Finds the end of the frame that begins at the position.
    fn end(
        &self,
        info: &StreamInfo,
        header: &FrameHeader,
        bytes: &mut ByteReader,
    ) -> Result<FrameEnd, DecodeError> {
        let most = info.max_frame_bytes().min(self.packet_bytes);
        let mut crc = Crc16Ansi::new(0);
        // The CRC over a whole frame including its CRC is 0.
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
                    return Ok(FrameEnd::Whole(at));
                }
                if next.is_some_and(|next| is_sequel(header, &next)) {
                    return Ok(FrameEnd::Damaged(at));
                }
                crc.process_byte(rest[0]);
                at += 1;
            }
            if is_end {
                let whole = (crc.crc() == 0 && at >= MIN_FRAME_BYTES).then_some(at).or(last_zero);
                return Ok(whole.map_or(FrameEnd::NotFound(at), FrameEnd::Whole));
            }
        }
        Ok(FrameEnd::NotFound(at))
    }
}

impl Demuxer for FlacDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        let Some(info) = self.info.clone() else {
            return self.link(bytes).map(|link| Some(DemuxEvent::Link(link)));
        };
        // Tags are recognised only where a frame has ended: elsewhere their magic bytes occur by
        // chance, and the stated length would skip audio.
        let mut is_border = true;
        loop {
            let head = bytes.peek(MAX_HEADER_BYTES)?;
            if head.is_empty() {
                return Ok(None);
            }
            if head.starts_with(MAGIC) {
                return self.link(bytes).map(|link| Some(DemuxEvent::Link(link)));
            }
            let Some(header) = info.frame(head) else {
                if !(is_border && is_tag(head) && tags::skip(bytes)?) {
                    self.skip(1, bytes, report);
                    is_border = false;
                }
                continue;
            };
            let (length, damaged) = match self.end(&info, &header, bytes)? {
                FrameEnd::Whole(length) => (length, false),
                FrameEnd::Damaged(length) => (length, true),
                // Skips all that was searched, so that no byte is searched twice.
                FrameEnd::NotFound(length) => {
                    self.skip(length as u64, bytes, report);
                    is_border = false;
                    continue;
                }
            };
            // Only a frame with a known end is trusted to state its position: headers occur by chance.
            let missing = self.missing(&info, &header, length);
            self.lost_bytes = 0;
            if missing > 0 {
                self.position = Some(header.position);
                return Ok(Some(DemuxEvent::Gap(missing)));
            }
            self.position = Some(header.position + u64::from(header.frames));
            if damaged {
                self.lost_bytes = length as u64;
            }
            let packet = Packet::whole(bytes.take(length)?, header.frames);
            return Ok(Some(DemuxEvent::Packet(Packet { damaged, ..packet })));
        }
    }
}

/// Whether a frame may follow another with fewer than 64 missing in between.
fn is_sequel(frame: &FrameHeader, next: &FrameHeader) -> bool {
    let end = frame.position + u64::from(frame.frames);
    (end..end + 64 * u64::from(frame.frames)).contains(&next.position)
}

/// Whether these bytes begin a tag of the kinds found behind FLAC files.
fn is_tag(bytes: &[u8]) -> bool {
    bytes.starts_with(b"TAG") || bytes.starts_with(b"ID3") || bytes.starts_with(b"APETAGEX")
}

fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Flac, what }
}
