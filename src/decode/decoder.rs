//! Decodes one upload: events of a demuxer become blocks of stereo.

use std::collections::VecDeque;
use std::num::NonZero;

use super::containers::raw::RawDemuxer;
use super::demux::{DemuxEvent, Demuxer};
use super::edits::{EditPiece, Edits};
use super::error::{DecodeError, UnknownContent};
use super::limits::DecodeLimits;
use super::link::LinkDecoder;
use super::probe;
use super::reader::ByteReader;
use super::report::{DecodeReport, SourceInfo};
use super::upload::ReadAt;
use crate::audio::{Encoding, Frames, Hertz, Stereo};

/// Frames of one block of silence.
const SILENT_BLOCK_FRAMES: u64 = 65_536;

/// What the bytes of an upload are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A file of any supported format, recognised by its content: its first audio track of a supported codec.
    Container,
    /// The same: its audio track of this number, counted from 1.
    Track(NonZero<u32>),
    /// Interleaved samples without a header, for example from a microphone.
    Raw {
        /// How a sample is stored.
        encoding: Encoding,
        /// Sample rate.
        rate: Hertz,
        /// 1 or 2.
        channels: u8,
    },
}

/// A run of decoded audio.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Sample rate of its link; it changes where a link of another rate begins.
    pub rate: Hertz,
    /// At least one frame. Every sample is finite; full scale is 1.0, which lossy codecs exceed.
    pub audio: Stereo,
}

/// Audio that a decoder has but has not returned.
enum PendingAudio {
    Audio(Stereo),
    /// Frames of silence.
    Silence(u64),
}

/// Decodes one upload.
pub struct Decoder {
    bytes: ByteReader,
    demuxer: Box<dyn Demuxer>,
    limits: DecodeLimits,
    source: SourceInfo,
    link: LinkDecoder,
    report: DecodeReport,
    /// What applies to the frames of the link, if not all are kept.
    edits: Option<Edits>,
    /// What is not returned yet.
    pending: VecDeque<PendingAudio>,
    /// Frames of silence inserted for missing packets and pauses so far.
    inserted_silence: u64,
    /// At least one frame came from a packet.
    has_audio: bool,
    has_ended: bool,
}

impl Decoder {
    /// Reads as much as it takes to recognise the format and read its headers; blocks until these
    /// bytes have arrived.
    ///
    /// # Errors
    /// [`DecodeError`] for uploads that are empty, unreadable or of an unsupported format.
    pub fn open(
        upload: Box<dyn ReadAt>,
        input: &Input,
        limits: &DecodeLimits,
    ) -> Result<Decoder, DecodeError> {
        let mut bytes = ByteReader::new(upload);
        if bytes.at_end()? {
            return Err(DecodeError::Empty);
        }
        let mut demuxer: Box<dyn Demuxer> = match *input {
            Input::Container => probe::open(&mut bytes, limits, None)?,
            Input::Track(number) => probe::open(&mut bytes, limits, Some(number))?,
            Input::Raw { encoding, rate, channels } => {
                Box::new(RawDemuxer::open(encoding, rate, channels)?)
            }
        };
        let mut report = DecodeReport { links: 1, ..DecodeReport::default() };
        let Some(DemuxEvent::Link(link)) = demuxer.next(&mut bytes, &mut report)? else {
            let looks_like = "cut before its audio begins";
            return Err(DecodeError::UnknownFormat {
                looks_like,
                content: UnknownContent::NoMedia,
            });
        };
        // Demuxers of containers with several tracks return the wanted one.
        if let Input::Track(wanted) = *input
            && wanted.get() != link.track.number
        {
            let (container, count) = (link.container, link.track.count);
            let (wanted, codecs) = (wanted.get(), link.codec.name().to_string());
            return Err(DecodeError::TrackMissing { container, wanted, count, codecs });
        }
        let source = SourceInfo {
            container: link.container,
            codec: link.codec.name(),
            rate: link.rate,
            channels: link.codec.channels(),
            frames: link.frames.map(Frames),
            track: link.track,
        };
        Ok(Decoder {
            bytes,
            demuxer,
            limits: limits.clone(),
            source,
            link: LinkDecoder::open(link, limits)?,
            report,
            edits: None,
            pending: VecDeque::new(),
            inserted_silence: 0,
            has_audio: false,
            has_ended: false,
        })
    }

    /// What the headers of the first link state.
    pub fn source(&self) -> &SourceInfo {
        &self.source
    }

    /// The next block; blocks until its bytes have arrived. `None` after the last block and after an
    /// error.
    ///
    /// # Errors
    /// [`DecodeError`]; the blocks returned before it are valid.
    pub fn next_block(&mut self) -> Result<Option<Block>, DecodeError> {
        if self.has_ended {
            return Ok(None);
        }
        let next = self.advance();
        self.has_ended = !matches!(next, Ok(Some(_)));
        next
    }

    /// What has been decoded, repaired and skipped so far.
    pub fn report(&self) -> DecodeReport {
        self.report
    }

    fn advance(&mut self) -> Result<Option<Block>, DecodeError> {
        loop {
            if let Some(block) = self.take_pending() {
                return Ok(Some(block));
            }
            let event = match self.demuxer.next(&mut self.bytes, &mut self.report) {
                // The audio in front of a broken header is worth keeping.
                Err(DecodeError::Malformed { .. }) if self.has_audio => {
                    self.report.broken_links += 1;
                    None
                }
                event => event?,
            };
            match event {
                Some(DemuxEvent::Packet(packet)) => {
                    let decoded = self.link.decode(&packet, &mut self.report);
                    let kept = self.edit(decoded.audio);
                    self.has_audio |= decoded.has_audio && kept;
                }
                Some(DemuxEvent::LateStart(frames)) => {
                    self.insert_silence(frames.min(self.limits.late_start_frames));
                }
                Some(DemuxEvent::Gap(frames)) => {
                    self.link.reset();
                    self.report.gaps += 1;
                    self.insert_gap(frames);
                }
                Some(DemuxEvent::Edits(edits)) => self.edits = Some(edits),
                Some(DemuxEvent::Link(link)) => {
                    self.count_missing_frames();
                    if self.report.links >= self.limits.links {
                        return Err(self.too_many_links());
                    }
                    self.link = LinkDecoder::open(link, &self.limits)?;
                    self.edits = None;
                    self.report.links += 1;
                }
                None => {
                    self.count_missing_frames();
                    return if self.has_audio { Ok(None) } else { Err(self.nothing_decoded()) };
                }
            }
        }
    }

    /// Adds the frames of a packet that the edits keep, and the pauses in front of these. Returns whether there are any.
    fn edit(&mut self, audio: Stereo) -> bool {
        let Some(edits) = &mut self.edits else {
            let is_kept = !audio.is_empty();
            self.pending.push_back(PendingAudio::Audio(audio));
            return is_kept;
        };
        let mut is_kept = false;
        for piece in edits.next(audio.frames().0) {
            match piece {
                EditPiece::Kept(frames) => {
                    let kept = audio.slice(frames.start as usize..frames.end as usize);
                    self.pending.push_back(PendingAudio::Audio(kept));
                    is_kept = true;
                }
                EditPiece::Pause(frames) => drop(self.insert_silence(frames)),
            }
        }
        is_kept
    }

    /// Inserts silence for frames that are missing, as far as the edits keep them.
    fn insert_gap(&mut self, frames: u64) {
        let pieces = match &mut self.edits {
            Some(edits) => edits.next(frames),
            None => vec![EditPiece::Kept(0..frames)],
        };
        for piece in pieces {
            match piece {
                EditPiece::Kept(frames) => {
                    let inserted = self.insert_silence(frames.end - frames.start);
                    self.report.silenced_frames += inserted;
                }
                EditPiece::Pause(frames) => drop(self.insert_silence(frames)),
            }
        }
    }

    /// Inserts silence, at most [`DecodeLimits::gap_frames`] in all; returns how much.
    fn insert_silence(&mut self, frames: u64) -> Frames {
        let inserted = frames.min(self.limits.gap_frames - self.inserted_silence);
        self.inserted_silence += inserted;
        self.pending.push_back(PendingAudio::Silence(inserted));
        Frames(inserted)
    }

    /// The next block of what is not returned yet.
    fn take_pending(&mut self) -> Option<Block> {
        while let Some(pending) = self.pending.pop_front() {
            let audio = match pending {
                PendingAudio::Audio(audio) => audio,
                PendingAudio::Silence(frames) => {
                    let now = frames.min(SILENT_BLOCK_FRAMES);
                    if now < frames {
                        self.pending.push_front(PendingAudio::Silence(frames - now));
                    }
                    Stereo::zeros(Frames(now).as_len())
                }
            };
            if !audio.is_empty() {
                self.link.returned_frames += audio.frames().0;
                return Some(Block { rate: self.link.rate, audio });
            }
        }
        None
    }

    /// Counts the frames that the headers of the link that ends here stated but that did not come.
    fn count_missing_frames(&mut self) {
        let stated = self.link.stated_frames.take().unwrap_or(0);
        let missing = stated.saturating_sub(self.link.returned_frames);
        // A header may state any length.
        let Frames(before) = self.report.missing_frames;
        self.report.missing_frames = Frames(before.saturating_add(missing));
    }

    fn too_many_links(&self) -> DecodeError {
        let (container, limit) = (self.source.container, self.limits.links);
        DecodeError::TooLarge { container, what: "streams", limit }
    }

    fn nothing_decoded(&self) -> DecodeError {
        let DecodeReport { damaged_packets, gaps, .. } = self.report;
        let container = self.source.container;
        DecodeError::NothingDecoded { container, damaged: damaged_packets + gaps }
    }
}
