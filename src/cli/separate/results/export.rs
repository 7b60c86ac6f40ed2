//! Writes the stems of a song in the requested format, as a result: all of them or none.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::placement::{Placement, place};
use super::record::{
    OutputChannels, RequestedModel, ResultEngine, ResultIdentity, ResultRecord, ResultStem,
    WrittenResult,
};
use super::source_summary::SourceSummary;
use crate::audio::wav::{HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, FileFormat, Frames, Hertz, StemName, Stereo};
use crate::cli::error::CliError;
use crate::encode::dither::Dither;
use crate::encode::{EncodeError, FileSpec, Output, encoder};
use crate::files;
use crate::model::Sha256Hash;

/// The stems of a song as F32 files in the scratch directory.
#[derive(Debug)]
pub(in crate::cli::separate) struct SeparatedSong {
    pub(in crate::cli::separate) stems: Vec<SeparatedStem>,
    pub(in crate::cli::separate) rate: Hertz,
    pub(in crate::cli::separate) frames: Frames,
    /// Channels of the song.
    pub(in crate::cli::separate) source_channels: u32,
    /// What the song is, if a server has sent it.
    pub(in crate::cli::separate) source: Option<SourceSummary>,
    /// Notices for the user.
    pub(in crate::cli::separate) notices: Vec<String>,
    /// The engines, in the order in which they computed.
    pub(in crate::cli::separate) engines: Vec<ResultEngine>,
    /// A directory for scratch files, on the file system of the output.
    pub(in crate::cli::separate) scratch: PathBuf,
    /// Removes the files when dropped.
    pub(in crate::cli::separate) _files: Box<dyn Any>,
}

impl SeparatedSong {
    /// The model that began it, with its stems.
    pub(in crate::cli::separate) fn model(&self) -> RequestedModel {
        let model = self.engines.first().map(|engine| engine.model.clone()).unwrap_or_default();
        RequestedModel { model, stems: self.stems.iter().map(|stem| stem.name.clone()).collect() }
    }
}

/// A stem of a song.
#[derive(Debug)]
pub(in crate::cli::separate) struct SeparatedStem {
    pub(in crate::cli::separate) name: StemName,
    pub(in crate::cli::separate) file: PathBuf,
    /// The largest absolute sample.
    pub(in crate::cli::separate) peak: f32,
}

/// Frames converted at once.
const PIECE_FRAMES: usize = 65_536;

/// How stems become files.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::separate) struct FileOptions {
    pub(in crate::cli::separate) format: FileFormat,
    /// In kbit/s; `None` for the default of a lossy format.
    pub(in crate::cli::separate) bitrate: Option<u32>,
    pub(in crate::cli::separate) channels: OutputChannels,
    /// Whether all stems get one gain so that none clips; without, clipped samples are counted and reported.
    pub(in crate::cli::separate) fit: bool,
    /// Whether files that are no result of this song and these settings are replaced.
    pub(in crate::cli::separate) force: bool,
}

/// Held while a result gets its folder: songs that are separated at the same time may have the same name.
static PLACING: Mutex<()> = Mutex::new(());

/// Writes a result below `output`, and returns it. Until it is complete, its files are in the song's scratch
/// directory, except where it replaces another one.
pub(in crate::cli::separate) fn write_result(
    song: &SeparatedSong,
    output: &Path,
    title: &str,
    identity: ResultIdentity,
    options: FileOptions,
) -> Result<WrittenResult, CliError> {
    let scratch = |error: io::Error| CliError::disk(&song.scratch, &error);
    let parent = tempfile::tempdir_in(&song.scratch).map_err(scratch)?;
    // Has the permissions of any other folder, unlike its parent.
    let partial = parent.path().join("result");
    fs::create_dir(&partial).map_err(scratch)?;
    let mut notices = song.notices.clone();
    let stems = write_stems(song, &partial, options, &mut notices)?;
    let record = ResultRecord {
        version: ResultRecord::VERSION,
        complete: true,
        stemwire: env!("CARGO_PKG_VERSION").to_owned(),
        identity,
        engines: song.engines.clone(),
        sample_rate: song.rate.0,
        frames: song.frames.0,
        notices,
        source_info: song.source.clone(),
        stems,
    };
    let _placing = PLACING.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        // Again: another process may have written there in the meantime.
        let identity = || Ok(Some(record.identity.clone()));
        match place(output, title, &identity, options.force)? {
            Placement::Exists(result) => return Ok(*result),
            Placement::Replace(folder) => {
                replace(&folder, &partial, &record)
                    .map_err(|error| CliError::disk(&folder, &error))?;
                return Ok(WrittenResult { folder, record });
            }
            Placement::New(folder) => match publish(&folder, &partial, &record) {
                Ok(()) => return Ok(WrittenResult { folder, record }),
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(CliError::disk(&folder, &error)),
            },
        }
    }
}

/// Gives a complete folder its name.
fn publish(folder: &Path, partial: &Path, record: &ResultRecord) -> io::Result<()> {
    record.write(partial)?;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    // Some systems rename no directory to the name of an empty one. It may not exist, or be filled by now.
    let _ = fs::remove_dir(folder);
    files::publish(partial, folder)
}

/// Whether a folder has been created by another process.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
}

/// Moves the files into a folder that has others. In between, its record is one of an incomplete result.
fn replace(folder: &Path, partial: &Path, record: &ResultRecord) -> io::Result<()> {
    let before = ResultRecord::read(folder);
    ResultRecord { complete: false, ..record.clone() }.write(folder)?;
    for stem in &record.stems {
        fs::rename(partial.join(&stem.file), folder.join(&stem.file))?;
    }
    let is_replaced = |file: &str| record.stems.iter().any(|stem| stem.file == file);
    for stem in before.iter().flat_map(|record| &record.stems) {
        if !is_replaced(&stem.file) && stem.is_in(folder) == Some(true) {
            fs::remove_file(folder.join(&stem.file))?;
        }
    }
    record.write(folder)
}

/// Moves or encodes the stems into `folder`. Adds notices of what the user should know of them.
fn write_stems(
    song: &SeparatedSong,
    folder: &Path,
    FileOptions { format, bitrate, channels, fit, .. }: FileOptions,
    notices: &mut Vec<String>,
) -> Result<Vec<ResultStem>, CliError> {
    let peak = song.stems.iter().fold(0.0_f32, |peak, stem| peak.max(stem.peak));
    let gain = if fit { format.fitting_gain(peak) } else { 1.0 };
    if gain < 1.0 {
        let decibels = 20.0 * f64::from(gain).log10();
        notices.push(format!("all stems have a gain of {decibels:.2} dB, so that none clips"));
    }
    let channels = if channels.is_mono(song.source_channels) { 1 } else { Stereo::CHANNELS };
    let (rate, frames) = (song.rate, song.frames);
    let is_stored_so = format == FileFormat::WavF32 && channels == Stereo::CHANNELS;
    let mut stems = Vec::new();
    for stem in &song.stems {
        let file = format!("{}.{}", stem.name, format.extension());
        let path = folder.join(&file);
        let written = if is_stored_so {
            fs::rename(&stem.file, &path).map(|()| 0)
        } else {
            let dither_seed = Dither::seed(stem.name.as_str());
            let spec = FileSpec { format, channels, rate, frames, bitrate, dither_seed };
            encode(&stem.file, &path, &spec, gain).map_err(io::Error::from)
        };
        let hashed = written.and_then(|clipped| Ok((clipped, Sha256Hash::of_file(&path)?)));
        let (clipped, sha256) = hashed.map_err(|error| CliError::disk(&path, &error))?;
        if clipped > 0 {
            notices.push(format!("{clipped} samples of {} were clipped; use --fit", stem.name));
        }
        stems.push(ResultStem { name: stem.name.to_string(), file, sha256 });
    }
    Ok(stems)
}

/// Encodes the F32 file `from` into the file `to`. Returns how many samples were clipped.
fn encode(from: &Path, to: &Path, spec: &FileSpec, gain: f32) -> Result<u64, EncodeError> {
    let mut source = BufReader::new(File::open(from)?);
    source.seek(SeekFrom::Start(HEADER_BYTES))?;
    let mut encoder = encoder(spec, Output::create(to)?)?;
    let mut bytes = vec![0; PIECE_FRAMES * frame_bytes(Encoding::F32Le) as usize];
    let mut left = spec.frames.as_len();
    let mut clipped = 0;
    while left > 0 {
        let frames = left.min(PIECE_FRAMES);
        let bytes = &mut bytes[..frames * frame_bytes(Encoding::F32Le) as usize];
        source.read_exact(bytes)?;
        let mut audio = Encoding::F32Le.read_frames(bytes);
        audio.scale(gain);
        clipped += encoder.write(&audio)?;
        left -= frames;
    }
    encoder.finish()?;
    Ok(clipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::GrowingWav;

    fn separated(folder: &Path, loudest: f32) -> SeparatedSong {
        let file = folder.join("source.wav");
        let mut wav = GrowingWav::create(&file, Encoding::F32Le, Hertz(44_100)).unwrap();
        let plane = vec![0.5, loudest, -0.25];
        wav.append(&Stereo::from_planes(plane.clone(), plane).unwrap()).unwrap();
        wav.finish().unwrap();
        let stem = SeparatedStem { name: "vocals".parse().unwrap(), file, peak: loudest };
        let (rate, frames) = (Hertz(44_100), Frames(3));
        let (notices, engines, scratch) = (Vec::new(), Vec::new(), folder.to_owned());
        SeparatedSong {
            stems: vec![stem],
            rate,
            frames,
            source_channels: 1,
            source: None,
            notices,
            engines,
            scratch,
            _files: Box::new(()),
        }
    }

    #[track_caller]
    fn check(format: FileFormat, fit: bool, loudest: f32, expected: [f32; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let stems = folder.path().join("stems");
        fs::create_dir(&stems).unwrap();
        let channels = OutputChannels::Stereo;
        let options = FileOptions { format, bitrate: None, channels, fit, force: false };
        let separated = separated(folder.path(), loudest);
        write_stems(&separated, &stems, options, &mut Vec::new()).unwrap();
        let mut reader = hound::WavReader::open(stems.join("vocals.wav")).unwrap();
        let samples: Vec<f32> = match format {
            FileFormat::WavF32 => reader.samples::<f32>().map(Result::unwrap).collect(),
            _ => reader.samples::<i32>().map(|s| s.unwrap() as f32 / 32_768.0).collect(),
        };
        let left: Vec<f32> = samples.iter().step_by(2).copied().collect();
        assert!(left.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{left:?}");
    }

    #[test]
    fn files_have_the_format_and_the_gain_asked_for() {
        check(FileFormat::WavF32, false, 2.0, [0.5, 2.0, -0.25]);
        check(FileFormat::WavS16, false, 2.0, [0.5, 1.0, -0.25]);
        check(FileFormat::WavS16, true, 2.0, [0.25, 1.0, -0.125]);
        check(FileFormat::WavS16, true, 0.5, [0.5, 0.5, -0.25]);
    }
}
