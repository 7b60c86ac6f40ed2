//! Encodes audio into files.
//!
//! [`encoder`] makes the encoder for a [`FileSpec`]. It gets blocks of float32 audio and writes to an [`Output`]: a file, in
//! which it completes the header at the end, or a stream, whose bytes can be sent while more audio is read. [`pcm_file`] is
//! the layout of files without compression, of which any range of bytes can be made; [`flac`] compresses without loss; Opus
//! and MP3 have a [`bitrate()`]. M4A files have ALAC, or AAC by FFmpeg, which encodes MP3 too in builds without LAME. [`ni_stems`] puts all stems of a song into one file.
//! Integers of 16 bits get [`dither`]. Files can have the [tags](FileTags) and the cover of the song.

mod aac;
mod aiff;
mod alac;
mod bitrate;
pub mod dither;
mod encoder_process;
mod error;
pub mod flac;
mod m4a;
mod mp3;
mod mp4;
pub mod ni_stems;
mod opus;
mod output;
pub mod pcm_file;
mod samples;
mod tags;
mod track_encoder;

pub use crate::process::Ffmpeg;
pub use bitrate::bitrate;
pub use error::EncodeError;
pub use output::Output;
pub use tags::FileTags;

use std::io;

use crate::audio::{FileFormat, Frames, Hertz, Stereo};
use dither::{Dither, DitheredEncoder};
use flac::FlacEncoder;
use m4a::M4aEncoder;
use mp3::{LameOf, Mp3Encoder};
use opus::OpusFileEncoder;
use pcm_file::{PcmEncoder, PcmFile};
use samples::SampleWriter;
use track_encoder::TrackEncoder;

/// Whether LAME is part of this build.
const HAS_LAME: bool = cfg!(feature = "mp3");

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
    /// The bitrate in kbit/s; `None` for the default of the format.
    pub bitrate: Option<u32>,
    /// The seed of the [`dither`], different for files that are played together.
    pub dither_seed: u64,
    /// Its tags, if it gets any.
    pub tags: Option<FileTags>,
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
/// Those of [`check`] and [`bitrate()`]; [`EncodeError::Unsupported`] if the format cannot hold as much; I/O errors of the
/// output; FFmpeg cannot be started.
pub fn encoder(
    spec: &FileSpec,
    output: Output,
    ffmpeg: Option<&Ffmpeg>,
) -> Result<Box<dyn Encode>, EncodeError> {
    encoder_of_build(HAS_LAME, spec, output, ffmpeg)
}

/// Starts the encoder that a build without LAME uses.
///
/// # Errors
/// Those of [`encoder`].
pub fn encoder_without_lame(
    spec: &FileSpec,
    output: Output,
    ffmpeg: Option<&Ffmpeg>,
) -> Result<Box<dyn Encode>, EncodeError> {
    encoder_of_build(false, spec, output, ffmpeg)
}

fn encoder_of_build(
    has_lame: bool,
    spec: &FileSpec,
    output: Output,
    ffmpeg: Option<&Ffmpeg>,
) -> Result<Box<dyn Encode>, EncodeError> {
    let format = spec.format;
    check_of_build(has_lame, format, spec.rate, ffmpeg)?;
    let kbits = bitrate(spec.format, spec.channels, spec.bitrate)?.unwrap_or_default();
    let encoder: Box<dyn Encode> = match format {
        FileFormat::WavF32
        | FileFormat::WavS24
        | FileFormat::WavS16
        | FileFormat::Aiff
        | FileFormat::AiffS16 => Box::new(PcmEncoder::start(PcmFile::new(spec)?, output)?),
        FileFormat::Flac | FileFormat::FlacS16 => Box::new(FlacEncoder::start(spec, output)?),
        FileFormat::Opus => Box::new(OpusFileEncoder::start(spec, kbits, output)?),
        FileFormat::Mp3 => {
            let lame = LameOf::choose(has_lame, ffmpeg);
            let lame = lame.ok_or(EncodeError::FfmpegMissing { format })?;
            Box::new(Mp3Encoder::start(spec, kbits, lame, output)?)
        }
        FileFormat::M4aAlac | FileFormat::M4aAlacS16 => {
            Box::new(M4aEncoder::start(spec, TrackEncoder::alac(SampleWriter::of(spec)), output)?)
        }
        FileFormat::M4aAac => {
            let ffmpeg = ffmpeg.ok_or(EncodeError::FfmpegMissing { format })?;
            let track = TrackEncoder::aac(ffmpeg, spec.rate, spec.channels, kbits)?;
            Box::new(M4aEncoder::start(spec, track, output)?)
        }
    };
    Ok(match Dither::of(spec) {
        Some(dither) => Box::new(DitheredEncoder { dither, written: Frames::ZERO, encoder }),
        None => encoder,
    })
}

/// Whether FFmpeg encodes the format in this build.
pub fn needs_ffmpeg(format: FileFormat) -> bool {
    format == FileFormat::M4aAac || (format == FileFormat::Mp3 && !HAS_LAME)
}

/// Encodes a moment of silence by FFmpeg, in a format for which it is needed.
///
/// # Errors
/// It does not start, or does not encode the format.
pub fn probe(ffmpeg: &Ffmpeg, format: FileFormat) -> io::Result<()> {
    let (rate, frames) = (Hertz(44_100), Frames(1024));
    let spec =
        FileSpec { format, channels: 1, rate, frames, bitrate: None, dither_seed: 0, tags: None };
    let output = Output::Stream(Box::new(io::sink()));
    let mut encoder = encoder_without_lame(&spec, output, Some(ffmpeg))?;
    encoder.write(&Stereo::zeros(1024))?;
    Ok(encoder.finish()?)
}

/// Refuses a file that cannot be encoded, before its audio is computed or read.
///
/// # Errors
/// [`EncodeError::Unsupported`], [`EncodeError::FfmpegMissing`].
pub fn check(format: FileFormat, rate: Hertz, ffmpeg: Option<&Ffmpeg>) -> Result<(), EncodeError> {
    check_of_build(HAS_LAME, format, rate, ffmpeg)
}

fn check_of_build(
    has_lame: bool,
    format: FileFormat,
    rate: Hertz,
    ffmpeg: Option<&Ffmpeg>,
) -> Result<(), EncodeError> {
    match format {
        FileFormat::Flac | FileFormat::FlacS16 => flac::check(format, rate),
        FileFormat::Mp3 if LameOf::choose(has_lame, ffmpeg).is_none() => {
            Err(EncodeError::FfmpegMissing { format })
        }
        FileFormat::M4aAac if ffmpeg.is_none() => Err(EncodeError::FfmpegMissing { format }),
        FileFormat::M4aAac if !aac::has_rate(rate) => {
            let problem =
                format!("AAC has no sample rate of {rate}; {} has", FileFormat::M4aAlac.name());
            Err(EncodeError::Unsupported { format, problem })
        }
        _ => Ok(()),
    }
}

/// The formats that can be encoded by this build, with this FFmpeg.
pub fn available(ffmpeg: Option<&Ffmpeg>) -> impl Iterator<Item = FileFormat> {
    FileFormat::ALL.into_iter().filter(move |format| check(*format, Hertz(44_100), ffmpeg).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_lame_names_both_ways_to_mp3() {
        let check = |has_lame| check_of_build(has_lame, FileFormat::Mp3, Hertz(44_100), None);
        assert!(check(true).is_ok());
        let error = check(false).unwrap_err();
        assert!(error.to_string().contains("without LAME"), "{error}");
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("feature mp3") && remedy.contains("install FFmpeg"), "{remedy}");
    }
}
