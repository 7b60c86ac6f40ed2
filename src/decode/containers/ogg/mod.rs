//! Ogg: pages of several streams, one of which is heard.
//!
//! - The first Vorbis or FLAC stream is decoded; pictures and other streams beside it are left out.
//! - A new group of first pages begins the next link of a chain, whatever its rate and channels.
//! - Pages whose checksum is wrong are left out; what the positions on the pages around show to be
//!   missing becomes silence of that length.

mod flac;
mod page;
mod setup;
mod vorbis;

use std::collections::VecDeque;

use self::flac::OggFlac;
use self::page::Page;
use self::vorbis::Vorbis;
use crate::audio::Hertz;
use crate::decode::bytes::Bytes;
use crate::decode::codecs::Codec;
use crate::decode::error::DecodeError;
use crate::decode::limits::Limits;
use crate::decode::packet::{Demux, Event, Link};
use crate::decode::report::{Container, Report};

/// An Ogg file, or a chain of them.
pub(crate) struct Ogg {
    limits: Limits,
    /// What the first pages of the current group announced; `None` once another page was read.
    group: Option<Group>,
    /// The stream that is heard.
    stream: Option<Stream>,
    events: VecDeque<Event>,
    /// The first link was found.
    has_begun: bool,
}

/// Streams that begin together.
#[derive(Default)]
struct Group {
    heard: Option<Stream>,
    /// The name of an audio codec that is not decoded.
    unsupported: Option<&'static str>,
}

/// The stream that is heard.
struct Stream {
    serial: u32,
    mapping: Box<dyn Mapping>,
    /// The beginning of a packet that goes on on the next page, if it is to be had.
    partial: Option<Vec<u8>>,
    /// The number of the next page.
    sequence: Option<u32>,
}

/// How a codec lies in Ogg.
trait Mapping: Send {
    /// Takes all packets that end on a page.
    fn page(&mut self, page: PagePackets, events: &mut VecDeque<Event>) -> Result<(), DecodeError>;
}

/// What a page brings to an end.
struct PagePackets {
    packets: Vec<Vec<u8>>,
    granule: Option<u64>,
    /// Something is missing between the page before and this one.
    is_after_loss: bool,
    is_last: bool,
}

impl Ogg {
    pub(crate) fn open(limits: &Limits) -> Ogg {
        Ogg {
            limits: limits.clone(),
            group: None,
            stream: None,
            events: VecDeque::new(),
            has_begun: false,
        }
    }

    /// Sees what a first page announces.
    fn announce(&mut self, page: &Page) {
        let group = self.group.get_or_insert_default();
        self.stream = None;
        let packet = page.pieces().next().map_or(&[][..], |(piece, _)| piece);
        let mapping: Box<dyn Mapping> = match packet {
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => {
                Box::new(Vorbis::new(self.limits.codebook_values))
            }
            [0x7f, b'F', b'L', b'A', b'C', ..] => Box::new(OggFlac::new()),
            _ => {
                group.unsupported = group.unsupported.or(name(packet));
                return;
            }
        };
        group.heard.get_or_insert(Stream {
            serial: page.serial,
            mapping,
            partial: None,
            sequence: None,
        });
    }
}

impl Demux for Ogg {
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.has_begun = true;
                return Ok(Some(event));
            }
            let (page, skipped) = Page::next(bytes)?;
            report.skipped_bytes += skipped;
            let Some(page) = page else {
                return if self.has_begun { Ok(None) } else { Err(broken("it ends too early")) };
            };
            if page.is_first {
                self.announce(&page);
                // The first packet of the stream that is heard goes to its codec, too.
                if let Some(stream) = self.group.as_mut().and_then(|group| group.heard.as_mut())
                    && stream.serial == page.serial
                {
                    stream.page(&page, &self.limits, &mut self.events)?;
                }
                continue;
            }
            if let Some(group) = self.group.take() {
                // Behind the first link, a group without sound is no more than left out.
                self.stream = match (group.heard, group.unsupported) {
                    (Some(stream), _) => Some(stream),
                    (None, None) if self.has_begun => None,
                    (None, unsupported) => return Err(nothing_heard(unsupported)),
                };
            }
            if let Some(stream) = self.stream.as_mut().filter(|s| s.serial == page.serial) {
                stream.page(&page, &self.limits, &mut self.events)?;
            }
        }
    }
}

impl Stream {
    /// Puts packets together and hands them on.
    fn page(
        &mut self,
        page: &Page,
        limits: &Limits,
        events: &mut VecDeque<Event>,
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
                    what: "one packet in bytes",
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

/// Audio codecs by what their first packet begins with.
fn name(packet: &[u8]) -> Option<&'static str> {
    let names: [(&[u8], &str); 6] = [
        (b"OpusHead", "Opus"),
        (b"Speex   ", "Speex"),
        (b"PCM     ", "PCM (OggPCM)"),
        (b"CELT    ", "CELT"),
        (b"fLaC", "FLAC of the mapping before 1.0"),
        (b"\x80midi", "MIDI"),
    ];
    names.iter().find(|(magic, _)| packet.starts_with(magic)).map(|&(_, name)| name)
}

fn nothing_heard(unsupported: Option<&'static str>) -> DecodeError {
    let container = Container::Ogg;
    match unsupported {
        Some(name) => DecodeError::UnsupportedCodec { container, codec: name.to_owned() },
        None => DecodeError::NoAudioTrack { container },
    }
}

fn broken(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Ogg, what }
}

fn link(codec: Codec, rate: u32, frames: Option<u64>) -> Event {
    Event::Link(Link { container: Container::Ogg, codec, rate: Hertz(rate), frames })
}
