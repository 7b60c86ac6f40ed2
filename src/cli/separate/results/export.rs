//! Writes the stems of a song in the requested format, as a result: all of them or none.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::output_format::OutputFormat;
use super::placement::{Placement, place};
use super::record::{
    RequestedModel, ResultEngine, ResultIdentity, ResultRecord, ResultStem, WrittenResult,
};
use super::source_summary::SourceSummary;
use crate::audio::wav::{HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, FileFormat, Frames, Hertz, StemName, Stereo};
use crate::cli::error::CliError;
use crate::encode::dither::Dither;
use crate::encode::ni_stems::{NiStemCodec, NiStemPlan, NiStemsEncoder};
use crate::encode::{EncodeError, Ffmpeg, FileSpec, Output, encoder};
use crate::files;
use crate::model::Sha256Hash;
use crate::session::settings::OutputChannels;

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
#[derive(Debug, Clone)]
pub(in crate::cli::separate) struct FileOptions {
    pub(in crate::cli::separate) format: OutputFormat,
    /// In kbit/s; `None` for the default of a lossy format.
    pub(in crate::cli::separate) bitrate: Option<u32>,
    pub(in crate::cli::separate) channels: OutputChannels,
    /// Whether all stems get one gain so that none clips; without, clipped samples are counted and reported.
    pub(in crate::cli::separate) fit: bool,
    /// Whether files that are no result of this song and these settings are replaced.
    pub(in crate::cli::separate) force: bool,
    /// FFmpeg, if the format needs it and there is one.
    pub(in crate::cli::separate) ffmpeg: Option<Ffmpeg>,
}

/// Held while a result gets its folder: songs that are separated at the same time may have the same name.
static PLACING: Mutex<()> = Mutex::new(());

/// Writes a result below `output`, and returns it. Until it is complete, its files are in the song's scratch
/// directory, except where it replaces another one. `file_name` names the file of each stem, without its extension.
pub(in crate::cli::separate) fn write_result(
    song: &SeparatedSong,
    output: &Path,
    title: &str,
    identity: ResultIdentity,
    options: &FileOptions,
    file_name: &dyn Fn(&StemName) -> String,
) -> Result<WrittenResult, CliError> {
    let scratch = |error: io::Error| CliError::disk(&song.scratch, &error);
    let parent = tempfile::tempdir_in(&song.scratch).map_err(scratch)?;
    // Has the permissions of any other folder, unlike its parent.
    let partial = parent.path().join("result");
    fs::create_dir(&partial).map_err(scratch)?;
    let mut notices = song.notices.clone();
    let stems = match options.format {
        OutputFormat::Each(format) => {
            write_stems(song, &partial, format, options, file_name, &mut notices)?
        }
        OutputFormat::NiStems => write_ni_stems(song, &partial, title, options, &mut notices)?,
    };
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
    format: FileFormat,
    FileOptions { bitrate, channels, fit, ffmpeg, .. }: &FileOptions,
    file_name: &dyn Fn(&StemName) -> String,
    notices: &mut Vec<String>,
) -> Result<Vec<ResultStem>, CliError> {
    let peak = song.stems.iter().fold(0.0_f32, |peak, stem| peak.max(stem.peak));
    let gain = if *fit { format.fitting_gain(peak) } else { 1.0 };
    notices.extend(gain_notice(gain));
    let channels = if channels.is_mono(song.source_channels) { 1 } else { Stereo::CHANNELS };
    let (rate, frames) = (song.rate, song.frames);
    let is_stored_so = format == FileFormat::WavF32 && channels == Stereo::CHANNELS;
    let mut stems = Vec::new();
    for stem in &song.stems {
        let file = format!("{}.{}", file_name(&stem.name), format.extension());
        let path = folder.join(&file);
        let written = if is_stored_so {
            fs::rename(&stem.file, &path).map(|()| 0)
        } else {
            let dither_seed = Dither::seed(stem.name.as_str());
            let spec = FileSpec { format, channels, rate, frames, bitrate: *bitrate, dither_seed };
            encode(&stem.file, &path, &spec, gain, ffmpeg.as_ref()).map_err(io::Error::from)
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

fn gain_notice(gain: f32) -> Option<String> {
    let decibels = 20.0 * f64::from(gain).log10();
    (gain < 1.0).then(|| format!("all stems have a gain of {decibels:.2} dB, so that none clips"))
}

/// Encodes the F32 file `from` into the file `to`. Returns how many samples were clipped.
fn encode(
    from: &Path,
    to: &Path,
    spec: &FileSpec,
    gain: f32,
    ffmpeg: Option<&Ffmpeg>,
) -> Result<u64, EncodeError> {
    let mut blocks = StemBlocks::open(from, spec.frames, gain)?;
    let mut encoder = encoder(spec, Output::create(to)?, ffmpeg)?;
    let mut clipped = 0;
    while let Some(block) = blocks.next()? {
        clipped += encoder.write(&block)?;
    }
    encoder.finish()?;
    Ok(clipped)
}

/// Writes all stems into one file. Adds notices of what the user should know of it.
fn write_ni_stems(
    song: &SeparatedSong,
    folder: &Path,
    title: &str,
    options: &FileOptions,
    notices: &mut Vec<String>,
) -> Result<Vec<ResultStem>, CliError> {
    let names: Vec<StemName> = song.stems.iter().map(|stem| stem.name.clone()).collect();
    let plan = NiStemPlan::of(&names)?;
    let codec = NiStemCodec::of(song.rate, options.ffmpeg.as_ref());
    if matches!(codec, NiStemCodec::Alac) {
        let cause = match options.ffmpeg {
            None => "there is no FFmpeg that encodes AAC".to_owned(),
            Some(_) => format!("AAC has no sample rate of {}", song.rate),
        };
        notices.push(format!(
            "the stems are in ALAC, which Traktor on Windows does not read, because {cause}"
        ));
    }
    let file = format!("{title}.stem.mp4");
    let path = folder.join(&file);
    let encode = || {
        let gain = if options.fit { fitting_gain(song, &plan)? } else { 1.0 };
        let mut stems = stem_blocks(song, &plan, gain)?;
        let mut encoder =
            NiStemsEncoder::start(plan.clone(), song.rate, codec, Output::create(&path)?)?;
        let mut clipped = 0;
        while let Some(blocks) = next_blocks(&mut stems)? {
            clipped += encoder.write(&blocks)?;
        }
        encoder.finish()?;
        Ok((gain, clipped, Sha256Hash::of_file(&path)?))
    };
    let encoded: Result<_, EncodeError> = encode();
    let (gain, clipped, sha256) =
        encoded.map_err(|error| CliError::disk(&path, &io::Error::from(error)))?;
    notices.extend(gain_notice(gain));
    if clipped > 0 {
        notices.push(format!("{clipped} samples of the mix and the stems were clipped; use --fit"));
    }
    Ok(vec![ResultStem { name: "ni-stems".to_owned(), file, sha256 }])
}

/// The gain at which neither a stem nor the mix clips.
fn fitting_gain(song: &SeparatedSong, plan: &NiStemPlan) -> io::Result<f32> {
    let mut stems = stem_blocks(song, plan, 1.0)?;
    let mut peak = 0.0_f32;
    while let Some(blocks) = next_blocks(&mut stems)? {
        let tracks = plan.tracks(&blocks);
        let samples = tracks.iter().flat_map(Stereo::planes).flatten();
        peak = samples.fold(peak, |peak, sample| peak.max(sample.abs()));
    }
    Ok(Encoding::S24Le.fitting_gain(peak))
}

/// The stems of a plan, from their beginning.
fn stem_blocks(song: &SeparatedSong, plan: &NiStemPlan, gain: f32) -> io::Result<Vec<StemBlocks>> {
    let of_plan =
        plan.stems.iter().filter_map(|name| song.stems.iter().find(|stem| stem.name == *name));
    of_plan.map(|stem| StemBlocks::open(&stem.file, song.frames, gain)).collect()
}

/// A block of each stem; `None` at the end.
fn next_blocks(stems: &mut [StemBlocks]) -> io::Result<Option<Vec<Stereo>>> {
    stems.iter_mut().map(StemBlocks::next).collect()
}

/// The blocks of an F32 file.
struct StemBlocks {
    file: BufReader<File>,
    bytes: Vec<u8>,
    /// Frames that are left.
    left: usize,
    gain: f32,
}

impl StemBlocks {
    /// Those of a file of so many frames.
    fn open(path: &Path, frames: Frames, gain: f32) -> io::Result<StemBlocks> {
        let mut file = BufReader::new(File::open(path)?);
        file.seek(SeekFrom::Start(HEADER_BYTES))?;
        Ok(StemBlocks { file, bytes: Vec::new(), left: frames.as_len(), gain })
    }

    /// The next block; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Stereo>> {
        let frames = self.left.min(PIECE_FRAMES);
        if frames == 0 {
            return Ok(None);
        }
        self.bytes.resize(frames * frame_bytes(Encoding::F32Le) as usize, 0);
        self.file.read_exact(&mut self.bytes)?;
        self.left -= frames;
        let mut block = Encoding::F32Le.read_frames(&self.bytes);
        block.scale(self.gain);
        Ok(Some(block))
    }
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
        let output = OutputFormat::Each(format);
        let options = FileOptions {
            format: output,
            bitrate: None,
            channels,
            fit,
            force: false,
            ffmpeg: None,
        };
        let separated = separated(folder.path(), loudest);
        let (name, notices) = (&StemName::to_string, &mut Vec::new());
        write_stems(&separated, &stems, format, &options, name, notices).unwrap();
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
