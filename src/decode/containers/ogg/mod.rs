//! Ogg (RFC 3533): pages of several streams, one of which is decoded.
//!
//! - The first Opus, Vorbis or FLAC stream is decoded; pictures and other streams beside it are skipped.
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
use crate::decode::report::{Container, DecodeReport};

/// Demuxer of an Ogg file or a chain of them.
pub(crate) struct OggDemuxer {
    limits: DecodeLimits,
    /// The streams announced by the first pages read last; `None` once another page was read.
    group: Option<Group>,
    /// The stream that is decoded.
    stream: Option<Stream>,
    events: VecDeque<DemuxEvent>,
    /// The first link was found.
    has_begun: bool,
}

/// Streams that begin together.
#[derive(Default)]
struct Group {
    /// The first stream of a supported codec.
    selected: Option<Stream>,
    /// Name of an unsupported audio codec.
    unsupported: Option<&'static str>,
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
    pub(crate) fn open(limits: &DecodeLimits) -> OggDemuxer {
        OggDemuxer {
            limits: limits.clone(),
            group: None,
            stream: None,
            events: VecDeque::new(),
            has_begun: false,
        }
    }

    /// Adds the stream of a first page to the current group.
    fn announce(&mut self, page: &Page) {
        let group = self.group.get_or_insert_default();
        self.stream = None;
        let packet = page.pieces().next().map_or(&[][..], |(piece, _)| piece);
        let mapping: Box<dyn Mapping> = match packet {
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => {
                Box::new(Vorbis::new(self.limits.codebook_values))
            }
            [0x7f, b'F', b'L', b'A', b'C', ..] => Box::new(OggFlac::new()),
            [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => Box::new(Opus::new()),
            _ => {
                group.unsupported = group.unsupported.or(name(packet));
                return;
            }
        };
        group.selected.get_or_insert(Stream {
            serial: page.serial,
            mapping,
            partial: None,
            sequence: None,
        });
    }
}

impl Demuxer for OggDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.has_begun = true;
                return Ok(Some(event));
            }
            let (page, skipped) = Page::next(bytes)?;
            report.skipped_bytes += skipped;
            let Some(page) = page else {
                return if self.has_begun { Ok(None) } else { Err(malformed("it ends too early")) };
            };
            if page.is_first {
                self.announce(&page);
                // The first packet of the selected stream is its codec's first header.
                if let Some(stream) = self.group.as_mut().and_then(|group| group.selected.as_mut())
                    && stream.serial == page.serial
                {
                    stream.page(&page, &self.limits, &mut self.events)?;
                }
                continue;
            }
            if let Some(group) = self.group.take() {
                // After the first link, a group without audio is skipped.
                self.stream = match (group.selected, group.unsupported) {
                    (Some(stream), _) => Some(stream),
                    (None, None) if self.has_begun => None,
                    (None, unsupported) => return Err(no_supported_audio(unsupported)),
                };
            }
            if let Some(stream) = self.stream.as_mut().filter(|s| s.serial == page.serial) {
                stream.page(&page, &self.limits, &mut self.events)?;
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

fn no_supported_audio(unsupported: Option<&'static str>) -> DecodeError {
    match unsupported {
        Some(name) => self::unsupported(name.to_owned()),
        None => DecodeError::NoAudioTrack { container: Container::Ogg },
    }
}

fn unsupported(codec: String) -> DecodeError {
    DecodeError::UnsupportedCodec { container: Container::Ogg, codec }
}

fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Ogg, what }
}

fn link(codec: Codec, rate: u32, frames: Option<u64>) -> DemuxEvent {
    DemuxEvent::Link(Link { container: Container::Ogg, codec, rate: Hertz(rate), frames })
}
