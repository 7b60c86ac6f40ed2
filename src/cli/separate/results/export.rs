//! Writes the stems of a song in the requested format, as a result: all of them or none.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::file_options::{FileOptions, gain_notice};
use super::ni_stems::write_ni_stems;
use super::output_format::OutputFormat;
use super::placement::{Placement, place};
use super::record::{ResultIdentity, ResultRecord, ResultStem, WrittenResult};
use super::separated_song::{SeparatedSong, StemBlocks};
use crate::audio::{FileFormat, StemName, Stereo};
use crate::cli::error::CliError;
use crate::encode::dither::Dither;
use crate::encode::pcm_file::PcmFile;
use crate::encode::{EncodeError, Ffmpeg, FileSpec, FileTags, Output, encoder};
use crate::files;
use crate::model::Sha256Hash;

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
            let tags = |stem: &StemName| {
                let of = || song.file_tags(&identity.source.name, Some(stem.as_str()));
                options.tags.then(of)
            };
            write_stems(song, &partial, format, options, file_name, &tags, &mut notices)?
        }
        OutputFormat::NiStems => {
            let tags = options.tags.then(|| song.file_tags(&identity.source.name, None));
            write_ni_stems(song, &partial, title, options, tags, &mut notices)?
        }
    };
    let record = ResultRecord {
        version: ResultRecord::VERSION,
        complete: true,
        stemwire: env!("CARGO_PKG_VERSION").to_owned(),
        identity,
        engines: song.engines.clone(),
        model_choice: song.choice.clone(),
        windows: song.windows.clone(),
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
    tags: &dyn Fn(&StemName) -> Option<FileTags>,
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
        let (bitrate, dither_seed) = (*bitrate, Dither::seed(stem.name.as_str()));
        let tags = tags(&stem.name);
        let spec = FileSpec { format, channels, rate, frames, bitrate, dither_seed, tags };
        let written = if is_stored_so {
            move_stored(&stem.file, &path, &spec).map(|()| 0)
        } else {
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

/// Moves the F32 file `from` to `to` and adds its tags.
fn move_stored(from: &Path, to: &Path, spec: &FileSpec) -> io::Result<()> {
    fs::rename(from, to)?;
    if spec.tags.is_some() {
        let mut file = OpenOptions::new().write(true).open(to)?;
        PcmFile::new(spec)?.add_tags(&mut file)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::super::separated_song::SeparatedStem;
    use super::*;
    use crate::audio::wav::GrowingWav;
    use crate::audio::{Encoding, Frames, Hertz};
    use crate::session::settings::OutputChannels;

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
            cover: None,
            notices,
            engines,
            choice: None,
            windows: None,
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
            tags: false,
            force: false,
            ffmpeg: None,
        };
        let separated = separated(folder.path(), loudest);
        let (name, notices) = (&StemName::to_string, &mut Vec::new());
        write_stems(&separated, &stems, format, &options, name, &|_| None, notices).unwrap();
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
