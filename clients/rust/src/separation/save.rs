//! Stems as WAV files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::{Chunk, Event, Separation};
use crate::error::ClientError;
use crate::proto::{self, Encoding};

/// The files of a session that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedStems {
    /// The session in its final state.
    pub session: proto::Session,
    /// The file of each stem.
    pub files: BTreeMap<String, PathBuf>,
}

impl Separation {
    /// Writes all stems to `folder`/STEM.wav as they arrive, in the requested encoding; memory does not grow with the length of
    /// the song. The files appear once all stems are complete, and replace files of the same names.
    ///
    /// # Errors
    /// As [`Separation::next`]; a file cannot be written, or is longer than the 4 GiB of a WAV file.
    pub async fn save(&mut self, folder: impl AsRef<Path>) -> Result<SavedStems, ClientError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder)?;
        let scratch = tempfile::Builder::new().prefix(".stemwire-").tempdir_in(folder)?;
        let mut stems: BTreeMap<String, WavWriter<_>> = BTreeMap::new();
        loop {
            match self.next().await? {
                Some(Event::Chunk(chunk)) => {
                    if !stems.contains_key(&chunk.stem) {
                        let file = fs::File::create(scratch.path().join(file_name(&chunk.stem)?))?;
                        let wav = WavWriter::new(BufWriter::new(file), spec(&chunk));
                        stems.insert(chunk.stem.clone(), wav.map_err(disk)?);
                    }
                    if let Some(wav) = stems.get_mut(&chunk.stem) {
                        write(wav, &chunk).map_err(disk)?;
                    }
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut files = BTreeMap::new();
        for (name, wav) in stems {
            wav.finalize().map_err(disk)?;
            let file = file_name(&name)?;
            let path = folder.join(&file);
            fs::rename(scratch.path().join(file), &path)?;
            files.insert(name, path);
        }
        Ok(SavedStems { session: self.session().cloned().unwrap_or_default(), files })
    }
}

/// The name of a stem's file.
fn file_name(stem: &str) -> Result<String, ClientError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if stem.is_empty() || !stem.chars().all(is_plain) {
        return Err(ClientError::Protocol(format!("{stem:?} is no name of a stem")));
    }
    Ok(format!("{stem}.wav"))
}

fn spec(chunk: &Chunk) -> WavSpec {
    let (bits_per_sample, sample_format) = match chunk.encoding {
        Encoding::S16le => (16, SampleFormat::Int),
        Encoding::S24le => (24, SampleFormat::Int),
        Encoding::F32le | Encoding::Unspecified => (32, SampleFormat::Float),
    };
    let channels = chunk.channels as u16;
    WavSpec { channels, sample_rate: chunk.sample_rate, bits_per_sample, sample_format }
}

fn write<W: io::Write + io::Seek>(wav: &mut WavWriter<W>, chunk: &Chunk) -> hound::Result<()> {
    match chunk.encoding {
        Encoding::S16le => chunk
            .pcm
            .as_chunks()
            .0
            .iter()
            .try_for_each(|&sample| wav.write_sample(i16::from_le_bytes(sample))),
        Encoding::S24le => chunk
            .pcm
            .as_chunks()
            .0
            .iter()
            .try_for_each(|&[a, b, c]| wav.write_sample(i32::from_le_bytes([0, a, b, c]) >> 8)),
        Encoding::F32le | Encoding::Unspecified => {
            let (samples, _) = chunk.pcm.as_chunks();
            samples.iter().try_for_each(|&sample| wav.write_sample(f32::from_le_bytes(sample)))
        }
    }
}

fn disk(error: hound::Error) -> ClientError {
    match error {
        hound::Error::IoError(error) => error.into(),
        error => io::Error::other(error).into(),
    }
}
