//! `stemwire mix`: sums the stems of a finished folder, with a gain each.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;

use super::error::CliError;
use super::ffmpeg_option::{FfmpegOption, encoding_ffmpeg};
use super::output::frame_bar;
use super::separate::{FinishedResult, scratch_dir};
use crate::audio::mix::{Mix, MixError, MixGains};
use crate::audio::{FileFormat, Frames, Hertz, StemName, Stereo};
use crate::decode::track::{TrackError, TrackReader};
use crate::decode::{Complete, DecodeLimits, Input};
use crate::encode::dither::Dither;
use crate::encode::{self, EncodeError, Ffmpeg, FileSpec, Output, encoder};
use crate::files;
use crate::proto::reason::Category;

/// Frames mixed at once.
const PIECE_FRAMES: usize = 32_768;

#[derive(Debug, Args)]
pub(super) struct MixArgs {
    /// Folder of stems, as `stemwire separate` has written it
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Gains in dB, -60 to 12, or -inf to mute a stem, such as vocals:-inf,drums:-3 [default: 0 for all]
    #[arg(
        short,
        long,
        value_name = "LIST",
        allow_hyphen_values = true,
        default_value = "",
        hide_default_value = true
    )]
    gains: String,
    /// File to write [default: SONG (no vocals).wav in this folder, named after the song and the gains]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Format of the file [default: by the extension of FILE, else wav-f32]
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Bitrate of mp3, opus and m4a-aac in kbit/s [default: 256, 160 and 256]
    #[arg(long, value_name = "KBITS")]
    bitrate: Option<u32>,
    /// Lower the mix if the format would clip; reads the stems twice
    #[arg(long)]
    fit: bool,
    /// Write no tags and no cover of the song into the file
    #[arg(long)]
    no_tags: bool,
    /// Replace FILE if it exists
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    ffmpeg: FfmpegOption,
}

/// Writes the mix.
pub(super) fn run(args: &MixArgs) -> Result<(), CliError> {
    let format = format(args)?;
    let bitrate = encode::bitrate(format, Stereo::CHANNELS, args.bitrate).map_err(|e| usage(&e))?;
    let gains: MixGains = args.gains.parse().map_err(|error| unmixed(&error, &[]))?;
    let result = FinishedResult::open(&args.folder)?;
    let names: Vec<StemName> = result.stems.iter().map(|(name, _)| name.clone()).collect();
    let mix = gains.of(&names).map_err(|error| unmixed(&error, &names))?;
    let output = args.output.clone().unwrap_or_else(|| {
        PathBuf::from(format!("{} ({}).{}", result.title, mix.label, format.extension()))
    });
    check_free(&output, args.force)?;
    let ffmpeg = match encode::needs_ffmpeg(format) {
        true => encoding_ffmpeg(&args.ffmpeg, format)?,
        false => None,
    };
    let (rate, frames, channels) = (result.rate, result.frames, Stereo::CHANNELS);
    let dither_seed = Dither::seed("mix");
    let tags = if args.no_tags { None } else { result.file_tags(&mix.label) };
    let spec = FileSpec { format, channels, rate, frames, bitrate, dither_seed, tags };
    let bar = frame_bar(frames.0 * if args.fit { 2 } else { 1 });
    let gain = if args.fit { format.fitting_gain(peak(&result, &mix, &bar)?) } else { 1.0 };
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let scratch = scratch_dir(folder.unwrap_or(Path::new(".")), || {})?;
    let part = scratch.path().join("mix");
    let written = write(&result, &mix, gain, &spec, &part, ffmpeg.as_ref(), &bar);
    bar.finish_and_clear();
    let clipped = written?;
    if args.force { files::publish(&part, &output) } else { files::publish_new(&part, &output) }
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&output),
            _ => CliError::disk(&output, &error),
        })?;
    if clipped > 0 {
        eprintln!("note: {clipped} samples were clipped; use --fit");
    }
    if gain < 1.0 {
        eprintln!(
            "note: the mix has a gain of {:.2} dB, so that it does not clip",
            20.0 * gain.log10()
        );
    }
    let label = &mix.label;
    eprintln!("{}: {label} in {}", result.title, output.display());
    Ok(())
}

/// The format that is named, or that of the extension.
fn format(args: &MixArgs) -> Result<FileFormat, CliError> {
    let extension = args.output.as_ref().map(|output| output.extension().unwrap_or_default());
    match (args.format, extension) {
        (Some(format), _) => Ok(format),
        (None, None) => Ok(FileFormat::WavF32),
        (None, Some(extension)) => {
            let found = extension.to_str().and_then(FileFormat::of_extension);
            found.ok_or_else(|| {
                let cause = format!("the extension {extension:?} is that of no format");
                let remedy = "Name a format with --format.";
                CliError::new(Category::Usage, cause, remedy)
            })
        }
    }
}

fn check_free(output: &Path, force: bool) -> Result<(), CliError> {
    if !force && fs::symlink_metadata(output).is_ok() { Err(exists(output)) } else { Ok(()) }
}

fn exists(output: &Path) -> CliError {
    let cause = format!("{} exists", output.display());
    let remedy = "Name another file with --output, or replace it with --force.";
    CliError::new(Category::Usage, cause, remedy)
}

fn usage(error: &EncodeError) -> CliError {
    CliError::plain(Category::Usage, error.to_string())
}

fn unmixed(error: &MixError, stems: &[StemName]) -> CliError {
    CliError::new(Category::Usage, format!("--gains: {error}"), error.remedy(stems))
}

/// The largest absolute sample of the mix.
fn peak(result: &FinishedResult, mix: &Mix, bar: &ProgressBar) -> Result<f32, CliError> {
    let mut peak = 0.0_f32;
    sum(result, mix, bar, |block| {
        peak = block.interleaved().fold(peak, |peak, sample| peak.max(sample.abs()));
        Ok(())
    })?;
    Ok(peak)
}

/// Writes the mix to `part`. Returns how many samples were clipped.
fn write(
    result: &FinishedResult,
    mix: &Mix,
    gain: f32,
    spec: &FileSpec,
    part: &Path,
    ffmpeg: Option<&Ffmpeg>,
    bar: &ProgressBar,
) -> Result<u64, CliError> {
    let failed = |error: EncodeError| match error {
        EncodeError::Io(error) => CliError::disk(part, &error),
        error => usage(&error),
    };
    let disk = |error: io::Error| CliError::disk(part, &error);
    let mut encoder =
        encoder(spec, Output::File(File::create(part).map_err(disk)?), ffmpeg).map_err(failed)?;
    let mut clipped = 0;
    sum(result, mix, bar, |mut block| {
        block.scale(gain);
        clipped += encoder.write(&block).map_err(failed)?;
        Ok(())
    })?;
    encoder.finish().map_err(failed)?;
    Ok(clipped)
}

/// Passes the mix on, block by block.
fn sum(
    result: &FinishedResult,
    mix: &Mix,
    bar: &ProgressBar,
    mut take: impl FnMut(Stereo) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut tracks = Vec::new();
    for (name, factor) in &mix.stems {
        if let Some((_, path)) = result.stems.iter().find(|(stem, _)| stem == name) {
            tracks.push(MixTrack::open(path, result.rate, *factor)?);
        }
    }
    let mut left = result.frames;
    while left > Frames::ZERO {
        let count = left.as_len().min(PIECE_FRAMES);
        let mut sum = Stereo::zeros(count);
        for track in &mut tracks {
            let block = track.next(count)?;
            for (sum, stem) in sum.planes_mut().into_iter().zip(block.planes()) {
                sum.iter_mut().zip(stem).for_each(|(sum, sample)| *sum += sample);
            }
        }
        take(sum)?;
        bar.inc(count as u64);
        left = left.saturating_sub(Frames(count as u64));
    }
    Ok(())
}

/// A stem as it is decoded.
struct MixTrack<'a> {
    path: &'a Path,
    track: TrackReader,
    factor: f32,
    /// Decoded frames that have not been mixed.
    pending: Stereo,
}

impl MixTrack<'_> {
    fn open(path: &Path, rate: Hertz, factor: f32) -> Result<MixTrack<'_>, CliError> {
        let file = File::open(path).map_err(|error| {
            let cause = format!("cannot read {}: {error}", path.display());
            CliError::new(Category::Input, cause, "Check that the file can be read.")
        })?;
        let (upload, limits) = (Box::new(Complete(file)), DecodeLimits::default());
        let track = TrackReader::open(upload, &Input::Container, &limits, rate)
            .map_err(|error| undecoded(path, &error))?;
        Ok(MixTrack { path, track, factor, pending: Stereo::new() })
    }

    /// The next frames with the gain, and silence behind the end: lossy files may lack a frame.
    fn next(&mut self, count: usize) -> Result<Stereo, CliError> {
        while self.pending.len() < count {
            match self.track.next_block().map_err(|error| undecoded(self.path, &error))? {
                Some(block) => self.pending.extend(&block),
                None => break,
            }
        }
        let mut block = self.pending.take_front(count.min(self.pending.len()));
        block.resize(count);
        block.scale(self.factor);
        Ok(block)
    }
}

fn undecoded(path: &Path, error: &TrackError) -> CliError {
    CliError::plain(Category::Input, format!("{}: {error}", path.display()))
}
