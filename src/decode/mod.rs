//! Decoding: bytes of an upload that may still be growing become blocks of stereo.
//!
//! [`Decoder`] is the seam. Behind it, a *container* is taken apart into packets by a file of this
//! room, a *codec* turns packets into samples, and a mix makes two channels of them. The containers
//! are read here and not by Symphonia, whose decoders do the rest, for what its readers lack: trims
//! of MP4, chains of MP3 and WAV, silence where packets are missing, RF64, sizes that mean "to the
//! end", and reading an upload that grows to and fro.
//!
//! | container | codecs | what is trimmed | another one behind it |
//! |---|---|---|---|
//! | WAV, RF64, BW64, Wave64 | integers of 8 to 32 bits, floats of 32 and 64 | nothing | next link |
//! | AIFF, AIFF-C | the same, both byte orders | nothing | left out |
//! | FLAC | FLAC of up to 24 bits | nothing | next link |
//! | MP3 | MPEG-1, -2 and -2.5 layer III | by the LAME or Lavc tag | next link |
//! | Ogg | Vorbis of one or two channels, FLAC | by the positions of first and last page | next link |
//! | MP4, M4A, QuickTime, also fragmented | AAC-LC of one or two channels, ALAC, FLAC | by `iTunSMPB` or the edit list | left out |
//! | none | PCM of 16, 24 bits or floats | nothing | |
//!
//! A next link plays on after the one before, at its own rate, which every [`Block`] carries. If
//! its rate, channels or codec are not taken, decoding ends there with the error that says so; if
//! its headers are broken, decoding ends there and the report tells.
//!
//! Nothing depends on how fast the upload grows or how it is cut: the blocks are the same. Nothing
//! that an upload holds makes a call panic; a packet on which a codec panics becomes silence.

mod bytes;
mod codecs;
mod containers;
mod current;
mod downmix;
mod error;
mod guard;
mod limits;
mod packet;
mod probe;
mod report;
pub mod track;
mod upload;

pub use error::DecodeError;
pub use limits::Limits;
pub use report::{CodecName, Container, Report, SourceInfo};
pub use upload::{Complete, Upload};

use self::bytes::Bytes;
use self::current::{Current, silence_wild};
use self::packet::{Demux, Event, Packet};
use crate::audio::{Encoding, Frames, Hertz, Stereo};

/// Frames of one block of silence.
const SILENT_BLOCK_FRAMES: u64 = 65_536;

/// What the bytes of an upload are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A file of any format that is understood, told from its content.
    Container,
    /// Nothing but interleaved samples: a microphone.
    Raw {
        /// How a sample is stored.
        encoding: Encoding,
        /// Frames a second.
        rate: Hertz,
        /// 1 or 2.
        channels: u8,
    },
}

/// A run of decoded audio.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its own rate; another one than that of the block before where another link begins.
    pub rate: Hertz,
    /// At least one frame; every sample is finite, full scale is 1.0, lossy codecs exceed it.
    pub audio: Stereo,
}

/// Decodes one upload.
pub struct Decoder {
    bytes: Bytes,
    demux: Box<dyn Demux>,
    limits: Limits,
    source: SourceInfo,
    current: Current,
    report: Report,
    /// One plane a channel, for one packet.
    planes: Vec<Vec<f32>>,
    /// Frames of silence that are still to be handed out.
    silence: u64,
    /// Frames of silence that were put in for missing packets so far.
    filled: u64,
    /// At least one frame came from a packet.
    has_sound: bool,
    has_ended: bool,
}

impl Decoder {
    /// Reads as much as it takes to know what the upload is, waiting for it.
    pub fn open(
        upload: Box<dyn Upload>,
        input: &Input,
        limits: &Limits,
    ) -> Result<Decoder, DecodeError> {
        let mut bytes = Bytes::new(upload);
        if bytes.at_end()? {
            return Err(DecodeError::Empty);
        }
        let mut demux: Box<dyn Demux> = match *input {
            Input::Container => probe::open(&mut bytes, limits)?,
            Input::Raw { encoding, rate, channels } => {
                Box::new(containers::raw::Raw::open(encoding, rate, channels)?)
            }
        };
        let mut report = Report { links: 1, ..Report::default() };
        let Some(Event::Link(link)) = demux.next(&mut bytes, &mut report)? else {
            return Err(DecodeError::UnknownFormat { looks_like: "cut before its audio begins" });
        };
        let source = SourceInfo {
            container: link.container,
            codec: link.codec.name(),
            rate: link.rate,
            channels: link.codec.channels(),
            frames: link.frames.map(Frames),
        };
        Ok(Decoder {
            bytes,
            demux,
            limits: limits.clone(),
            source,
            current: Current::begin(link, limits)?,
            report,
            planes: Vec::new(),
            silence: 0,
            filled: 0,
            has_sound: false,
            has_ended: false,
        })
    }

    /// What the first stream says of itself.
    pub fn source(&self) -> &SourceInfo {
        &self.source
    }

    /// The next block, waiting for the bytes that it is in; `None` behind the last, and after an
    /// error.
    pub fn next_block(&mut self) -> Result<Option<Block>, DecodeError> {
        if self.has_ended {
            return Ok(None);
        }
        let next = self.advance();
        self.has_ended = !matches!(next, Ok(Some(_)));
        next
    }

    /// What became of the upload so far.
    pub fn report(&self) -> Report {
        self.report
    }

    fn advance(&mut self) -> Result<Option<Block>, DecodeError> {
        loop {
            if self.silence > 0 {
                let frames = self.silence.min(SILENT_BLOCK_FRAMES);
                self.silence -= frames;
                return Ok(self.block(Stereo::zeros(Frames(frames).as_len())));
            }
            let event = match self.demux.next(&mut self.bytes, &mut self.report) {
                // What was decoded before a broken header is worth keeping.
                Err(DecodeError::Malformed { .. }) if self.has_sound => {
                    self.report.broken_links += 1;
                    None
                }
                event => event?,
            };
            match event {
                Some(Event::Packet(packet)) => {
                    let audio = self.decode(&packet);
                    if let Some(block) = self.block(audio) {
                        return Ok(Some(block));
                    }
                }
                Some(Event::Gap(frames)) => self.fill(frames),
                Some(Event::Link(link)) => {
                    self.settle();
                    if self.report.links >= self.limits.links {
                        return Err(self.too_many_links());
                    }
                    self.current = Current::begin(link, &self.limits)?;
                    self.report.links += 1;
                }
                None => {
                    self.settle();
                    return if self.has_sound { Ok(None) } else { Err(self.nothing_decoded()) };
                }
            }
        }
    }

    /// The frames of a packet that are heard; silence where it does not decode.
    fn decode(&mut self, packet: &Packet) -> Stereo {
        let heard = packet.heard.start as usize..packet.heard.end as usize;
        let decoder = &mut self.current.decoder;
        let decoded = if packet.damaged {
            Err(codecs::Damaged)
        } else {
            decoder.decode(&packet.bytes, packet.frames, &mut self.planes)
        };
        if decoded.is_err() {
            self.planes.iter_mut().for_each(Vec::clear);
        }
        let held = self.planes.first().map_or(0, Vec::len);
        if decoded.is_err() || held < heard.end {
            decoder.forget();
            self.report.damaged_packets += 1;
            let missing = heard.end - held.clamp(heard.start, heard.end);
            self.report.silenced_frames += Frames::from_len(missing);
        } else {
            self.report.packets += 1;
        }
        self.has_sound |= held > heard.start && !heard.is_empty();
        self.report.wild_samples += silence_wild(&mut self.planes, &heard);
        self.current.mix.stereo(&self.planes, heard)
    }

    /// Puts silence in for missing frames, as far as the limit goes.
    fn fill(&mut self, frames: u64) {
        self.current.decoder.forget();
        let filled = frames.min(self.limits.gap_frames - self.filled);
        self.filled += filled;
        self.silence += filled;
        self.report.gaps += 1;
        self.report.silenced_frames += Frames(filled);
    }

    fn block(&mut self, audio: Stereo) -> Option<Block> {
        self.current.heard += audio.frames().0;
        (!audio.is_empty()).then_some(Block { rate: self.current.rate, audio })
    }

    /// Counts what the link that ends here promised and did not hold.
    fn settle(&mut self) {
        let promised = self.current.promised.take().unwrap_or(0);
        let missing = promised.saturating_sub(self.current.heard);
        // Headers promise anything.
        let Frames(before) = self.report.missing_frames;
        self.report.missing_frames = Frames(before.saturating_add(missing));
    }

    fn too_many_links(&self) -> DecodeError {
        let what = "the count of streams in it";
        DecodeError::TooLarge { container: self.source.container, what, limit: self.limits.links }
    }

    fn nothing_decoded(&self) -> DecodeError {
        let Report { damaged_packets, gaps, .. } = self.report;
        let container = self.source.container;
        DecodeError::NothingDecoded { container, damaged: damaged_packets + gaps }
    }
}
