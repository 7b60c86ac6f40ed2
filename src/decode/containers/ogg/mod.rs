//! Ogg (RFC 3533): pages of several streams, one of which is decoded.
//!
//! - One Opus, Vorbis or FLAC stream is decoded; pictures and other streams beside it are skipped.
//! - A new group of first pages begins the next link of a chain, whatever its rate and channels.
//! - Pages with a wrong checksum are skipped; what is missing according to the positions of the pages
//!   around becomes silence.

mod flac;
mod opus;
mod page;
mod position;
pub(super) mod setup;
mod vorbis;

use std::collections::VecDeque;
use std::num::NonZero;

use self::flac::OggFlac;
use self::opus::Opus;
use self::page::Page;
use self::vorbis::Vorbis;
use crate::audio::Hertz;
use crate::decode::codecs::Codec;
use crate::decode::demux::{DemuxEvent, Demuxer, Link};
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, CodecName, Container, DecodeReport};
use crate::decode::track_choice::choose;

/// Audio streams of a group that can be chosen. Each first page is held in memory.
const MAX_TRACKS: usize = 64;

/// Demuxer of an Ogg file or a chain of them.
pub(crate) struct OggDemuxer {
    limits: DecodeLimits,
    /// Number of the audio stream to decode; `None` for the first of a supported codec.
    wanted: Option<NonZero<u32>>,
    /// The audio streams announced by the first pages read last; `None` once another page was read.
    group: Option<Vec<AnnouncedStream>>,
    /// Which of them is decoded.
    track: AudioTrack,
    /// The stream that is decoded.
    stream: Option<Stream>,
    events: VecDeque<DemuxEvent>,
    /// The first link was found.
    has_begun: bool,
}

/// An audio stream, by its first page.
enum AnnouncedStream {
    Supported(CodecName, Page),
    Unsupported(&'static str),
}

/// The stream that is decoded.
struct Stream {
    serial: u32,
    mapping: Box<dyn Mapping>,
    /// Beginning of a packet that continues on the next page.
    partial: Option<Vec<u8>>,
    /// Number of the next page.
    sequence: Option<u32>,
}

/// Mapping of a codec to Ogg packets.
trait Mapping: Send {
    /// Turns the packets that end on a page into events.
    fn page(
        &mut self,
        page: PagePackets,
        events: &mut VecDeque<DemuxEvent>,
    ) -> Result<(), DecodeError>;
}

/// The packets that end on a page.
struct PagePackets {
    packets: Vec<Vec<u8>>,
    granule: Option<u64>,
    /// A page or part of a packet is missing in front of these packets.
    is_after_loss: bool,
    is_last: bool,
}

impl OggDemuxer {
    pub(crate) fn open(limits: &DecodeLimits, wanted: Option<NonZero<u32>>) -> OggDemuxer {
        OggDemuxer {
            limits: limits.clone(),
            wanted,
            group: None,
            track: AudioTrack::ONLY,
            stream: None,
            events: VecDeque::new(),
            has_begun: false,
        }
    }

    /// Adds the stream of a first page to the current group.
    fn announce(&mut self, page: Page) {
        let group = self.group.get_or_insert_default();
        self.stream = None;
        let packet = page.pieces().next().map_or(&[][..], |(piece, _)| piece);
        let stream = match (codec(packet), name(packet)) {
            (Some(codec), _) => AnnouncedStream::Supported(codec, page),
            (None, Some(name)) => AnnouncedStream::Unsupported(name),
            (None, None) => return,
        };
        if group.len() < MAX_TRACKS {
            group.push(stream);
        }
    }

    /// Begins to decode a stream of a group. After the first link, a group without audio is skipped, and one with too few
    /// streams continues with its first.
    fn select(&mut self, group: &[AnnouncedStream]) -> Result<(), DecodeError> {
        let read = |index: usize| match &group[index] {
            AnnouncedStream::Supported(codec, page) => Ok((*codec, page)),
            AnnouncedStream::Unsupported(name) => Err(unsupported((*name).to_owned())),
        };
        let codec = |stream: &(CodecName, &Page)| Some(stream.0);
        let chosen = choose(Container::Ogg, group.len(), self.wanted, read, codec);
        let ((codec, page), track) = match chosen {
            Err(DecodeError::NoAudioTrack { .. }) if self.has_begun => return Ok(()),
            Err(DecodeError::TrackMissing { .. }) if self.has_begun => {
                choose(Container::Ogg, group.len(), None, read, |stream| Some(stream.0))?
            }
            chosen => chosen?,
        };
        self.track = track;
        let mapping: Box<dyn Mapping> = match codec {
            CodecName::Vorbis => Box::new(Vorbis::new(self.limits.codebook_values)),
            CodecName::Flac => Box::new(OggFlac::new()),
            _ => Box::new(Opus::new()),
        };
        let stream = Stream { serial: page.serial, mapping, partial: None, sequence: None };
        // Its first packet is its codec's first header.
        self.stream.insert(stream).page(page, &self.limits, &mut self.events)
    }
}

impl Demuxer for OggDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        loop {
            if let Some(mut event) = self.events.pop_front() {
                self.has_begun = true;
                if let DemuxEvent::Link(link) = &mut event {
                    link.track = self.track;
                }
                return Ok(Some(event));
            }
            let (page, skipped) = Page::next(bytes)?;
            report.skipped_bytes += skipped;
            let page = match page {
                Some(page) if page.is_first => {
                    self.announce(page);
                    continue;
                }
                page => page,
            };
            if let Some(group) = self.group.take() {
                self.select(&group)?;
            }
            match (page, &mut self.stream) {
                (Some(page), Some(stream)) if stream.serial == page.serial => {
                    stream.page(&page, &self.limits, &mut self.events)?;
                }
                (Some(_), _) => {}
                (None, _) if !self.events.is_empty() => {}
                (None, _) if self.has_begun => return Ok(None),
                (None, _) => return Err(malformed("it ends too early")),
            }
        }
    }
}

impl Stream {
    /// Assembles packets from the pieces on a page and passes them to the codec's mapping.
    fn page(
        &mut self,
        page: &Page,
        limits: &DecodeLimits,
        events: &mut VecDeque<DemuxEvent>,
    ) -> Result<(), DecodeError> {
        let mut is_after_loss = self.sequence.is_some_and(|expected| expected != page.sequence);
        self.sequence = Some(page.sequence.wrapping_add(1));
        let mut partial = self.partial.take();
        if is_after_loss || !page.is_continued {
            is_after_loss |= partial.take().is_some();
        }
        let mut packets = Vec::new();
        for (index, (piece, ends)) in page.pieces().enumerate() {
            let is_rest = index == 0 && page.is_continued;
            let mut packet = match partial.take() {
                Some(begun) => begun,
                None if is_rest => {
                    is_after_loss = true;
                    continue;
                }
                None => Vec::new(),
            };
            if packet.len() + piece.len() > limits.header_bytes {
                return Err(DecodeError::TooLarge {
                    container: Container::Ogg,
                    what: "bytes in one packet",
                    limit: limits.header_bytes as u64,
                });
            }
            packet.extend_from_slice(piece);
            if ends { packets.push(packet) } else { self.partial = Some(packet) }
        }
        let (granule, is_last) = (page.granule, page.is_last);
        self.mapping.page(PagePackets { packets, granule, is_after_loss, is_last }, events)
    }
}

/// The supported codec of a stream, by the first bytes of its first packet.
fn codec(packet: &[u8]) -> Option<CodecName> {
    let codecs: [(&[u8], CodecName); 3] = [
        (b"\x01vorbis", CodecName::Vorbis),
        (b"\x7fFLAC", CodecName::Flac),
        (b"OpusHead", CodecName::Opus),
    ];
    codecs.iter().find(|(magic, _)| packet.starts_with(magic)).map(|&(_, codec)| codec)
}

/// The name of an unsupported audio codec, by the first bytes of its first packet.
fn name(packet: &[u8]) -> Option<&'static str> {
    let names: [(&[u8], &str); 5] = [
        (b"Speex   ", "Speex"),
        (b"PCM     ", "PCM (OggPCM)"),
        (b"CELT    ", "CELT"),
        (b"fLaC", "FLAC of the mapping before 1.0"),
        (b"\x80midi", "MIDI"),
    ];
    names.iter().find(|(magic, _)| packet.starts_with(magic)).map(|&(_, name)| name)
}

fn unsupported(codec: String) -> DecodeError {
    DecodeError::UnsupportedCodec { container: Container::Ogg, codec }
}

fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Ogg, what }
}

/// A link, whose track is set when it is returned.
fn link(codec: Codec, rate: u32, frames: Option<u64>) -> DemuxEvent {
    let (container, track) = (Container::Ogg, AudioTrack::ONLY);
    DemuxEvent::Link(Link { container, codec, rate: Hertz(rate), frames, track })
}
