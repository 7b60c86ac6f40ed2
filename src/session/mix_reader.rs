//! Reads the sum of stems of a session from any frame.

use std::io;

use super::stem_reader::StemReader;
use crate::audio::{Frames, Stereo};

/// Stems that are read and summed together, each with the gain of its reader. One stem alone is read unchanged.
#[derive(Debug)]
pub struct MixReader {
    first: StemReader,
    others: Vec<StemReader>,
}

impl MixReader {
    /// The sum of the stems of `readers`, which are moved to the position of the first; `None` if there are none.
    pub fn new(readers: Vec<StemReader>) -> Option<MixReader> {
        let mut readers = readers.into_iter();
        let first = readers.next()?;
        let mut reader = MixReader { others: readers.collect(), first };
        reader.seek(reader.position());
        Some(reader)
    }

    /// The next frame to read.
    pub fn position(&self) -> Frames {
        self.first.position()
    }

    /// Moves to the frame `position`.
    pub fn seek(&mut self, position: Frames) {
        self.first.seek(position);
        self.others.iter_mut().for_each(|reader| reader.seek(position));
    }

    /// Reads at most `most` of the next committed frames; none if there are none yet.
    ///
    /// # Errors
    /// Those of [`StemReader::read_audio`].
    pub fn read_audio(&mut self, most: Frames) -> io::Result<Stereo> {
        let mut sum = self.first.read_audio(most)?;
        for reader in &mut self.others {
            let stem = reader.read_audio(sum.frames())?;
            if stem.len() != sum.len() {
                let text = format!("{} has become shorter", reader.stem());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            for (sum, stem) in sum.planes_mut().into_iter().zip(stem.planes()) {
                sum.iter_mut().zip(stem).for_each(|(sum, sample)| *sum += sample);
            }
        }
        Ok(sum)
    }
}

impl From<StemReader> for MixReader {
    fn from(first: StemReader) -> MixReader {
        MixReader { first, others: Vec::new() }
    }
}
