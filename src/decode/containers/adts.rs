//! AAC without a container: frames with ADTS headers (ISO/IEC 14496-3, 1.A.2), with tags around them.
//!
//! Nothing states the encoder's delay: as FFmpeg does, every frame is kept. Where no frame follows a
//! frame, the next two of the same kind are searched, and the bytes in between become as many frames of
//! silence as would have fitted there.

use super::aac::AacConfig;
use super::tags;
use crate::audio::Hertz;
use crate::decode::codecs::Codec;
use crate::decode::codecs::aac_packet::has_band_replication;
use crate::decode::demux::{DemuxEvent, Demuxer, Link, Packet};
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, Container, DecodeReport};

/// Audio frames of an AAC frame.
const FRAMES: u32 = 1024;
/// The largest frame, by the 13 bits of its length.
const MAX_FRAME_BYTES: usize = 8192;
/// AAC frames that are examined for spectral band replication before the link begins.
const EXAMINED: usize = 4;

/// Demuxer of AAC frames.
pub(crate) struct AdtsDemuxer {
    link: Option<Link>,
    last: AdtsHeader,
    /// Bytes skipped since the last frame.
    junk: u64,
}

/// A parsed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AdtsHeader {
    /// Profile, rate and channels: the same in every header of a stream.
    kind: [u8; 3],
    /// Bytes of this header.
    own_bytes: usize,
    /// Bytes of the frame including this header.
    bytes: usize,
    /// Raw data blocks in the frame.
    blocks: u32,
}

/// Whether frames begin here: a header, and another one behind its frame if that is within `head`.
pub(crate) fn is_begin(head: &[u8]) -> bool {
    AdtsHeader::parse(head).is_some_and(|header| {
        header.bytes + 7 > head.len() || AdtsHeader::parse(&head[header.bytes..]).is_some()
    })
}

impl AdtsDemuxer {
    /// Begins at the position, which must be that of a frame.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedCodec`] for anything but low complexity in one or two channels.
    pub(crate) fn open(bytes: &mut ByteReader) -> Result<AdtsDemuxer, DecodeError> {
        let unsupported =
            |codec| DecodeError::UnsupportedCodec { container: Container::Adts, codec };
        let broken = DecodeError::Malformed { container: Container::Adts, what: "it is cut" };
        let Some(last) = AdtsHeader::parse(bytes.peek(7)?) else { return Err(broken) };
        let config = AacConfig::of_mpeg4(&last.config()).ok_or(broken)?;
        if let Some(codec) = config.unsupported([config.rate; 2]) {
            return Err(unsupported(codec));
        }
        if last.blocks > 1 {
            return Err(unsupported("AAC with several blocks in a frame".to_owned()));
        }
        // High-efficiency AAC is not signalled: it would decode to half its rate without an error.
        if config.rate <= 24_000 && is_high_efficiency(bytes)? {
            return Err(unsupported("high-efficiency AAC (HE-AAC)".to_owned()));
        }
        let AacConfig { rate, channels, bytes: config, .. } = config;
        let link = Link {
            container: Container::Adts,
            codec: Codec::Aac { config, channels },
            rate: Hertz(rate),
            frames: None,
            track: AudioTrack::ONLY,
        };
        Ok(AdtsDemuxer { link: Some(link), last, junk: 0 })
    }

    /// Audio frames that the skipped bytes stand for, by the size of the last frame; 0 if they are less
    /// than half of one.
    fn lost_frames(&mut self, report: &mut DecodeReport) -> u64 {
        let junk = std::mem::take(&mut self.junk);
        report.skipped_bytes += junk;
        let last = self.last.bytes as u64;
        (junk + last / 2) / last * u64::from(FRAMES)
    }
}

impl Demuxer for AdtsDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        if let Some(link) = self.link.take() {
            return Ok(Some(DemuxEvent::Link(link)));
        }
        loop {
            let head = bytes.peek(7)?;
            if head.len() < 7 {
                report.skipped_bytes += self.junk + bytes.drain()?;
                return Ok(None);
            }
            let header = AdtsHeader::parse(head).filter(|header| header.kind == self.last.kind);
            // After a loss one header alone may be chance.
            let header = match header {
                Some(header) if self.junk > 0 && !is_followed(bytes, &header)? => None,
                header => header,
            };
            let Some(header) = header else {
                if !(self.junk == 0 && tags::skip(bytes)?) {
                    bytes.skip(1);
                    self.junk += 1;
                }
                continue;
            };
            let lost = self.lost_frames(report);
            if lost > 0 {
                return Ok(Some(DemuxEvent::Gap(lost)));
            }
            let mut frame = bytes.take(header.bytes)?;
            if frame.len() < header.bytes {
                report.skipped_bytes += frame.len() as u64;
                return Ok(None);
            }
            self.last = header;
            let packet = frame.split_off(header.own_bytes);
            return Ok(Some(DemuxEvent::Packet(Packet::whole(packet, FRAMES))));
        }
    }
}

impl AdtsHeader {
    fn parse(bytes: &[u8]) -> Option<AdtsHeader> {
        let &[0xff, second, c, d, e, f, g] = bytes.first_chunk()? else { return None };
        // The layer is 0, which is reserved in MPEG audio.
        if second & 0xf6 != 0xf0 {
            return None;
        }
        let own_bytes = if second & 1 == 1 { 7 } else { 9 };
        let bytes = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f) >> 5;
        let kind = [second & 0xf8, c & 0xfd, d & 0xc0];
        let blocks = u32::from(g & 3) + 1;
        (c >> 2 & 15 < 13 && bytes > own_bytes).then_some(AdtsHeader {
            kind,
            own_bytes,
            bytes,
            blocks,
        })
    }

    /// The AudioSpecificConfig: object type, rate and channels.
    fn config(&self) -> [u8; 2] {
        let [_, c, d] = self.kind;
        let (object_type, rate) = ((c >> 6) + 1, c >> 2 & 15);
        let channels = (c & 1) << 2 | d >> 6;
        [object_type << 3 | rate >> 1, rate << 7 | channels << 3]
    }
}

/// Whether a frame of the same kind, or the end of the upload, follows the frame at the position.
fn is_followed(bytes: &mut ByteReader, header: &AdtsHeader) -> Result<bool, DecodeError> {
    let window = bytes.peek(header.bytes + 7)?;
    Ok(match window.get(header.bytes..) {
        Some(rest) if rest.len() >= 7 => {
            AdtsHeader::parse(rest).is_some_and(|next| next.kind == header.kind)
        }
        rest => rest.is_some(),
    })
}

/// Whether most of the first frames carry spectral band replication: in one, padding may follow it, and chance may look like
/// it.
fn is_high_efficiency(bytes: &mut ByteReader) -> Result<bool, DecodeError> {
    let window = bytes.peek(EXAMINED * MAX_FRAME_BYTES)?;
    let (mut rest, mut with, mut without) = (window, 0, 0);
    for _ in 0..EXAMINED {
        let Some(header) = AdtsHeader::parse(rest) else { break };
        let Some(frame) = rest.get(header.own_bytes..header.bytes) else { break };
        match has_band_replication(frame) {
            true => with += 1,
            false => without += 1,
        }
        rest = &rest[header.bytes..];
    }
    Ok(with > without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_state_kind_and_length() {
        // LC, 44.1 kHz, stereo, 371 bytes.
        let header = AdtsHeader::parse(&[0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f, 0xfc]).unwrap();
        assert_eq!((header.own_bytes, header.bytes, header.blocks), (7, 371, 1));
        assert_eq!(header.config(), [0x12, 0x10]);
        // MPEG audio, a rate that does not exist, a frame shorter than its header.
        assert_eq!(AdtsHeader::parse(&[0xff, 0xfb, 0x50, 0x80, 0x2e, 0x7f, 0xfc]), None);
        assert_eq!(AdtsHeader::parse(&[0xff, 0xf1, 0x74, 0x80, 0x2e, 0x7f, 0xfc]), None);
        assert_eq!(AdtsHeader::parse(&[0xff, 0xf1, 0x50, 0x80, 0x00, 0x7f, 0xfc]), None);
    }
}
