//! Stems and mixes as files that are made while they are read.

use std::io;

use axum::body::Bytes;

use super::byte_source::{PIECE_BYTES, Source};
use super::outlet::Outlet;
use crate::audio::Frames;
use crate::encode::dither::Dither;
use crate::encode::pcm_file::PcmFile;
use crate::encode::{Encode, EncodeError, Ffmpeg, FileSpec, FileTags, Output, encoder};
use crate::session::mix_reader::MixReader;

/// Frames read at once: 256 KiB of float32 stereo.
pub(super) const PIECE_FRAMES: Frames = Frames(32_768);

/// A mix, or a stem, as a file without compression, whole or a part.
pub(super) struct PcmSource {
    reader: MixReader,
    file: PcmFile,
    dither: Option<Dither>,
    /// What is behind the frames, once it is reached.
    trailer: Option<Vec<u8>>,
    /// Position of the next byte in the file.
    position: u64,
    end: u64,
}

impl PcmSource {
    /// The file of a mix.
    ///
    /// # Errors
    /// The format cannot hold as much.
    pub(super) fn new(reader: MixReader, spec: &FileSpec) -> Result<PcmSource, EncodeError> {
        let file = PcmFile::new(spec)?;
        let end = file.size();
        let dither = Dither::of(spec);
        Ok(PcmSource { reader, file, dither, trailer: None, position: 0, end })
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.file.size()
    }

    /// Restricts the file to the bytes from `first` to before `end`.
    pub(super) fn part(mut self, first: u64, end: u64) -> PcmSource {
        self.position = first;
        self.end = end.min(self.size());
        if let Some(after) = first.checked_sub(self.file.header().len() as u64) {
            self.reader.seek(Frames(after / self.file.frame_bytes()));
        }
        self
    }

    /// The bytes of the next frames.
    fn frames(&mut self) -> io::Result<Vec<u8>> {
        let start = self.reader.position();
        let mut audio = self.reader.read_audio(PIECE_FRAMES)?;
        if let Some(dither) = self.dither {
            audio = dither.apply(start, &audio);
        }
        let mut bytes = Vec::new();
        self.file.write(&audio, &mut bytes);
        Ok(bytes)
    }
}

impl Source for PcmSource {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let left = (self.end - self.position) as usize;
        let header = self.file.header();
        let mut bytes = match self.position.checked_sub(header.len() as u64) {
            None => header[self.position as usize..].to_vec(),
            // Padding and tags.
            Some(after) if after >= self.file.data_bytes() => {
                let start = (after - self.file.data_bytes()) as usize;
                let trailer = self.trailer.get_or_insert_with(|| self.file.trailer());
                let end = trailer.len().min(start + PIECE_BYTES);
                trailer.get(start..end).unwrap_or_default().to_vec()
            }
            Some(after) => {
                // A range may start within a frame.
                let skipped = (after % self.file.frame_bytes()) as usize;
                let mut bytes = self.frames()?;
                if bytes.len() <= skipped {
                    let text = "the stems have become shorter";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                bytes.split_off(skipped)
            }
        };
        bytes.truncate(left);
        self.position += bytes.len() as u64;
        Ok(Some(bytes.into()))
    }

    fn held_bytes(&self) -> usize {
        // The cover, and what is behind the frames once it is reached.
        2 * self.file.cover_bytes()
    }
}

/// A mix, or a stem, as a file of another format, encoded while it is read.
pub(super) struct EncodedSource {
    reader: MixReader,
    spec: FileSpec,
    ffmpeg: Option<Ffmpeg>,
    outlet: Outlet,
    state: EncodingState,
}

enum EncodingState {
    Pending,
    Begun(Box<dyn Encode>),
    Ended,
}

impl EncodedSource {
    /// The file of a mix. The encoder is started when the file is read.
    pub(super) fn new(reader: MixReader, spec: FileSpec, ffmpeg: Option<Ffmpeg>) -> EncodedSource {
        let (outlet, state) = (Outlet::default(), EncodingState::Pending);
        EncodedSource { reader, spec, ffmpeg, outlet, state }
    }

    /// Encodes the next frames.
    fn advance(&mut self) -> Result<(), EncodeError> {
        let state = std::mem::replace(&mut self.state, EncodingState::Ended);
        self.state = match state {
            EncodingState::Pending => {
                let output = Output::Stream(Box::new(self.outlet.clone()));
                EncodingState::Begun(encoder(&self.spec, output, self.ffmpeg.as_ref())?)
            }
            EncodingState::Begun(mut encoder) => {
                let audio = self.reader.read_audio(PIECE_FRAMES)?;
                if audio.is_empty() {
                    encoder.finish()?;
                    EncodingState::Ended
                } else {
                    encoder.write(&audio)?;
                    EncodingState::Begun(encoder)
                }
            }
            EncodingState::Ended => EncodingState::Ended,
        };
        Ok(())
    }
}

impl Source for EncodedSource {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if matches!(self.state, EncodingState::Ended) {
            return Ok(None);
        }
        self.advance()?;
        Ok(Some(self.outlet.fetch().into()))
    }

    fn held_bytes(&self) -> usize {
        // Formats with text only have it in Base64, and what is encoded waits to be sent.
        4 * self.spec.tags.as_ref().map_or(0, FileTags::cover_bytes)
    }

    fn encodes(&self) -> bool {
        true
    }
}
