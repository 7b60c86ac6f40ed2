//! Matroska and WebM (RFC 9559): one audio track.
//!
//! - Elements are read as they arrive, also of unknown size, as browsers and live streams write them.
//!   Another EBML header begins the next link of a chain.
//! - The codec's delay and the padding of blocks are removed. Time stamps are rounded to milliseconds:
//!   packets follow each other without regard to them, except behind damage, where they state how much
//!   is missing.
//! - If the file has pictures, audio that begins later than these begins with silence, so that stems fit
//!   the pictures.
//! - Behind damage reading continues at the next cluster.

pub(crate) mod attachments;
mod block;
mod ebml;
pub(crate) mod texts;
mod top_level;
mod track;

use std::collections::VecDeque;
use std::num::NonZero;

use self::block::MatroskaBlock;
use self::ebml::Element;
use self::track::{MatroskaTrack, frames};
use crate::audio::Hertz;
use crate::decode::demux::{DemuxEvent, Demuxer, Link, Packet, Trim};
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::reader::ByteReader;
use crate::decode::report::{Container, DecodeReport};

/// First bytes of a file: the identifier of its EBML header.
pub(crate) const MAGIC: [u8; 4] = EBML.to_be_bytes();

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
/// Elements without audio: void, checksum, position and size in a cluster, seek head, cues, attachments,
/// chapters, tags.
const SKIPPED: [u32; 9] =
    [0xec, 0xbf, 0xa7, 0xab, 0x114d_9b74, 0x1c53_bb6b, 0x1941_a469, 0x1043_a770, 0x1254_c367];

/// Shorter late starts come from the rounding of time stamps and from the delay of encoders.
const LEAST_LATENESS_NS: u64 = 40_000_000;
/// Bytes of a block, or of a group around one, that show its track and time stamp.
const BLOCK_HEAD_BYTES: u64 = 32;
/// Bytes searched at once for the next cluster.
const SEARCH_BYTES: usize = 4096;

/// Demuxer of one track of a Matroska file.
pub(crate) struct MatroskaDemuxer {
    limits: DecodeLimits,
    /// Number of the audio track to decode; `None` for the first of a supported codec.
    wanted: Option<NonZero<u32>>,
    /// `None` before the tracks have been read.
    track: Option<MatroskaTrack>,
    /// Nanoseconds of a unit of the time stamps.
    scale: u64,
    /// Time stamp of the cluster.
    cluster: u64,
    /// Time of the first packet in nanoseconds, and the frames of all packets since.
    begin: Option<(u64, u64)>,
    /// Time of the first block of another track in nanoseconds.
    first_other: Option<u64>,
    trim: Trim,
    /// Bytes were lost since the last packet.
    is_after_loss: bool,
    events: VecDeque<DemuxEvent>,
}

impl MatroskaDemuxer {
    /// Begins at the position, which must be that of the EBML header.
    pub(crate) fn open(limits: &DecodeLimits, wanted: Option<NonZero<u32>>) -> MatroskaDemuxer {
        MatroskaDemuxer {
            limits: limits.clone(),
            wanted,
            track: None,
            scale: 1_000_000,
            cluster: 0,
            begin: None,
            first_other: None,
            trim: Trim::none(),
            is_after_loss: false,
            events: VecDeque::new(),
        }
    }

    /// Processes an element, of which the header has been read. Returns whether it is valid here.
    fn element(&mut self, element: Element, bytes: &mut ByteReader) -> Result<bool, DecodeError> {
        match (element.id, element.size) {
            // Their children are read as if they were beside them.
            (SEGMENT, _) => {}
            (CLUSTER, _) => self.cluster = 0,
            (INFO, Some(size)) => {
                let info = self.take(size, bytes)?;
                self.scale = Element::child(&info, 0x2a_d7b1).map_or(1_000_000, ebml::unsigned);
            }
            (TRACKS, Some(size)) => self.begin_link(size, bytes)?,
            (TIMESTAMP, Some(size @ ..=8)) => {
                self.cluster = ebml::unsigned(&bytes.take(size as usize)?);
            }
            (SIMPLE_BLOCK, Some(size)) => self.block(size, false, bytes)?,
            (BLOCK_GROUP, Some(size)) => self.block(size, true, bytes)?,
            (EBML, Some(size)) => bytes.skip(size),
            (id, Some(size)) if SKIPPED.contains(&id) => bytes.skip(size),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads the tracks and begins the link.
    fn begin_link(&mut self, size: u64, bytes: &mut ByteReader) -> Result<(), DecodeError> {
        let tracks = self.take(size, bytes)?;
        let (mut track, number) = MatroskaTrack::find(&tracks, &self.limits, self.wanted)?;
        let codec = track.codec.take().ok_or(malformed("a track has no codec"))?;
        let (container, rate) = (Container::Matroska, Hertz(track.rate));
        let link = Link { container, codec, rate, frames: None, track: number };
        self.events.push_back(DemuxEvent::Link(link));
        self.trim = Trim::new(track.delay, u64::MAX..u64::MAX);
        self.track = Some(track);
        (self.begin, self.first_other, self.is_after_loss) = (None, None, false);
        Ok(())
    }

    /// The content of a header, which is held in memory.
    fn take(&self, size: u64, bytes: &mut ByteReader) -> Result<Vec<u8>, DecodeError> {
        let limit = self.limits.header_bytes as u64;
        if size > limit {
            let (container, what) = (Container::Matroska, "bytes in one header");
            return Err(DecodeError::TooLarge { container, what, limit });
        }
        Ok(bytes.take(size as usize)?)
    }

    /// Reads a block, or the group around one, if it belongs to the track; else skips it.
    fn block(
        &mut self,
        size: u64,
        is_group: bool,
        bytes: &mut ByteReader,
    ) -> Result<(), DecodeError> {
        let head = bytes.peek(size.min(BLOCK_HEAD_BYTES) as usize)?;
        let stated =
            if is_group { MatroskaBlock::head_in_group(head) } else { MatroskaBlock::head(head) };
        let end = bytes.position().saturating_add(size);
        let number = self.track.as_ref().map(|track| track.number);
        if let Some((track, time)) = stated
            && Some(track) != number
        {
            let time = self.time(time);
            self.first_other.get_or_insert(time);
        } else if number.is_some() && size <= self.limits.packet_bytes as u64 {
            let content = bytes.take(size as usize)?;
            // A cut block is not decoded.
            if content.len() as u64 == size
                && let Some(block) = MatroskaBlock::parse(&content, is_group)
                && Some(block.track) == number
            {
                self.packets(&block);
            }
        }
        bytes.seek(end);
        Ok(())
    }

    /// Time of a block in nanoseconds.
    fn time(&self, relative: i16) -> u64 {
        self.cluster.saturating_add_signed(relative.into()).saturating_mul(self.scale)
    }

    /// Turns the packets of a block into events.
    fn packets(&mut self, block: &MatroskaBlock) {
        let time = self.time(block.time);
        let Some(track) = self.track.as_mut() else { return };
        let (start, mut position) = match self.begin {
            Some(begin) => begin,
            None => {
                let late = time.saturating_sub(self.first_other.unwrap_or(time));
                if track.has_video && late >= LEAST_LATENESS_NS {
                    self.events.push_back(DemuxEvent::LateStart(frames(late, track.rate)));
                }
                (time, 0)
            }
        };
        if std::mem::take(&mut self.is_after_loss) {
            track.reset();
            let missing = frames(time.saturating_sub(start), track.rate).saturating_sub(position);
            position += missing;
            let kept = self.trim.next(u32::try_from(missing).unwrap_or(u32::MAX));
            self.events.push_back(DemuxEvent::Gap(kept.len() as u64));
        }
        let last = block.packets.len().saturating_sub(1);
        for (index, packet) in block.packets.iter().enumerate() {
            let bytes = [&track.prefix[..], packet].concat();
            if self.begin.is_none() && index == 0 {
                self.trim.next(track.priming(&bytes));
            }
            let Some((frames, is_whole)) = track.length(&bytes) else {
                track.reset();
                self.events.push_back(DemuxEvent::Gap(0));
                continue;
            };
            let mut kept = self.trim.next(frames);
            if index == last {
                let padding = self::frames(block.padding.unsigned_abs(), track.rate);
                let padding = u32::try_from(padding).unwrap_or(u32::MAX);
                if block.padding > 0 {
                    kept.end = kept.end.min(frames.saturating_sub(padding)).max(kept.start);
                } else {
                    kept.start = kept.start.max(padding).min(kept.end);
                }
            }
            position += u64::from(frames);
            self.events.push_back(DemuxEvent::Packet(Packet {
                bytes,
                frames,
                kept,
                damaged: !is_whole,
            }));
        }
        self.begin = Some((start, position));
    }

    /// Advances to the next cluster or the end of the upload, from an element that is not valid.
    fn resync(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<(), DecodeError> {
        self.is_after_loss = self.begin.is_some();
        bytes.skip(1);
        report.skipped_bytes += 1;
        loop {
            let window = bytes.peek(SEARCH_BYTES)?;
            let is_end = window.len() < SEARCH_BYTES;
            let found = window.windows(4).position(|id| id == CLUSTER.to_be_bytes());
            let count = match found {
                Some(at) => at,
                None if is_end => window.len(),
                None => SEARCH_BYTES - 3,
            };
            bytes.skip(count as u64);
            report.skipped_bytes += count as u64;
            if found.is_some() || is_end {
                return Ok(());
            }
        }
    }
}

impl Demuxer for MatroskaDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if bytes.at_end()? {
                return match self.track {
                    Some(_) => Ok(None),
                    None => Err(malformed("it has no tracks, or was cut before them")),
                };
            }
            let start = bytes.position();
            let is_valid = match Element::read(bytes)? {
                Some(element) => self.element(element, bytes)?,
                None => false,
            };
            if !is_valid {
                bytes.seek(start);
                self.resync(bytes, report)?;
            }
        }
    }
}

fn unsupported(codec: String) -> DecodeError {
    DecodeError::UnsupportedCodec { container: Container::Matroska, codec }
}

fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Matroska, what }
}
