//! Encodes audio into files.
//!
//! [`encoder`] makes the encoder for a [`FileSpec`]. It gets blocks of float32 audio and writes to an [`Output`]: a file, in
//! which it completes the header at the end, or a stream, whose bytes can be sent while more audio is read. [`pcm_file`] is
//! the layout of files without compression, of which any range of bytes can be made; [`flac`] compresses without loss.

mod error;
pub mod flac;
mod output;
pub mod pcm_file;
mod samples;

pub use error::EncodeError;
pub use output::Output;

use crate::audio::{FileFormat, Frames, Hertz, Stereo};
use flac::FlacEncoder;
use pcm_file::{PcmEncoder, PcmFile};

/// What a file is to contain.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSpec {
    /// Its format.
    pub format: FileFormat,
    /// Channels: one, which gets the mean of both, or two.
    pub channels: usize,
    /// The sample rate of the audio.
    pub rate: Hertz,
    /// The frames of the audio.
    pub frames: Frames,
}

/// Encodes blocks of float32 audio, one after the other, into the bytes of a file.
pub trait Encode: Send {
    /// Appends a block. Bytes that are complete go to the output. Returns how many samples were clipped, or will be when
    /// the file is played.
    ///
    /// # Errors
    /// I/O errors of the output; errors of the encoder.
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError>;

    /// Writes what is pending and the end of the file. Files are synced to the disk.
    ///
    /// # Errors
    /// Those of [`write`](Encode::write); fewer or more frames were written than the file is to contain.
    fn finish(self: Box<Self>) -> Result<(), EncodeError>;
}

/// Starts the encoder of a file. It writes the header at once.
///
/// # Errors
/// [`EncodeError::Unsupported`]; I/O errors of the output.
pub fn encoder(spec: &FileSpec, output: Output) -> Result<Box<dyn Encode>, EncodeError> {
    Ok(match spec.format {
        FileFormat::WavF32 | FileFormat::WavS24 | FileFormat::WavS16 => {
            Box::new(PcmEncoder::start(PcmFile::new(spec), output)?)
        }
        FileFormat::Flac => Box::new(FlacEncoder::start(spec, output)?),
    })
}

/// Refuses a file that cannot be encoded, before its audio is computed or read.
///
/// # Errors
/// [`EncodeError::Unsupported`].
pub fn check(format: FileFormat, rate: Hertz) -> Result<(), EncodeError> {
    match format {
        FileFormat::Flac => flac::check(format, rate),
        FileFormat::WavF32 | FileFormat::WavS24 | FileFormat::WavS16 => Ok(()),
    }
}
