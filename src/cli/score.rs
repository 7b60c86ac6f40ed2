//! `stemwire score`: compares stems with reference stems.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CliError;
use super::output::write;
use crate::audio::{Hertz, StemName, Stereo};
use crate::decode::track::{TrackError, TrackReader};
use crate::decode::{Complete, DecodeLimits, Input};
use crate::dsp::Score;
use crate::proto::reason::Category;

#[derive(Debug, Args)]
pub(super) struct ScoreArgs {
    /// Folder of the stems: one audio file for each, named after it
    #[arg(value_name = "STEMS")]
    stems: PathBuf,
    /// Folder of the reference stems
    #[arg(value_name = "TRUTH")]
    truth: PathBuf,
}

/// Prints SDR and SI-SDR of each stem that is in both folders.
pub(super) fn run(args: &ScoreArgs) -> Result<(), CliError> {
    let (stems, truth) = (files(&args.stems)?, files(&args.truth)?);
    let mut report = format!("{:<14} {:>8} {:>8}   in dB\n", "stem", "SDR", "SI-SDR");
    let mut compared = 0;
    for (name, true_file) in &truth {
        let Some((_, file)) = stems.iter().find(|(stem, _)| stem == name) else {
            eprintln!("note: {} has no {name}", args.stems.display());
            continue;
        };
        let score = compare(file, true_file)?;
        let line = if score.is_silent() {
            format!("{name:<14} {:>8} {:>8}   (reference is silent)", "–", "–")
        } else {
            format!("{name:<14} {:>8.2} {:>8.2}", score.sdr(), score.si_sdr())
        };
        writeln!(report, "{line}")
            .map_err(|error| CliError::plain(Category::Other, error.to_string()))?;
        compared += 1;
    }
    if compared == 0 {
        let (stems, truth) = (args.stems.display(), args.truth.display());
        let cause = format!("no stem is in both {stems} and {truth}");
        let remedy = "Name folders with files named after their stems, such as vocals.wav.";
        return Err(CliError::new(Category::Input, cause, remedy));
    }
    write(&report)
}

/// The audio files of a folder that are named after stems, in order.
fn files(folder: &Path) -> Result<Vec<(StemName, PathBuf)>, CliError> {
    let unreadable = |error: std::io::Error| {
        let cause = format!("cannot read {}: {error}", folder.display());
        CliError::new(Category::Input, cause, "Name a folder with one audio file for each stem.")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_named = |end: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(end));
        if !["wav", "flac", "ogg", "opus", "mp3", "m4a", "aiff", "aif"]
            .iter()
            .any(|end| is_named(end))
        {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()?.parse().ok());
        found.extend(name.map(|name: StemName| (name, path)));
    }
    found.sort();
    Ok(found)
}

/// Compares a stem with its reference, at the rate of the reference.
fn compare(stem: &Path, reference: &Path) -> Result<Score, CliError> {
    let rate = open(reference, USUAL_RATE)?.source().rate;
    let mut reference = StemTrack::open(reference, rate)?;
    let mut stem = StemTrack::open(stem, rate)?;
    let mut score = Score::default();
    loop {
        let count = match (reference.fill()?, stem.fill()?) {
            (false, false) => return Ok(score),
            // After the end of one, the other is compared with silence.
            (false, true) => stem.pending.len(),
            (true, false) => reference.pending.len(),
            (true, true) => reference.pending.len().min(stem.pending.len()),
        };
        score.add(&reference.pending.take_front(count), &stem.pending.take_front(count));
    }
}

/// A rate at which every file opens.
const USUAL_RATE: Hertz = Hertz(44_100);

/// A file as it is decoded.
struct StemTrack<'a> {
    path: &'a Path,
    track: TrackReader,
    /// Decoded frames that have not been compared.
    pending: Stereo,
}

impl StemTrack<'_> {
    fn open(path: &Path, rate: Hertz) -> Result<StemTrack<'_>, CliError> {
        Ok(StemTrack { path, track: open(path, rate)?, pending: Stereo::new() })
    }

    /// Decodes the next block if no frames are pending. Returns whether there are frames.
    fn fill(&mut self) -> Result<bool, CliError> {
        if self.pending.is_empty()
            && let Some(block) =
                self.track.next_block().map_err(|error| undecoded(self.path, &error))?
        {
            self.pending.extend(&block);
        }
        Ok(!self.pending.is_empty())
    }
}

fn open(path: &Path, rate: Hertz) -> Result<TrackReader, CliError> {
    let file = File::open(path).map_err(|error| {
        let cause = format!("cannot read {}: {error}", path.display());
        CliError::new(Category::Input, cause, "Check that the file exists and can be read.")
    })?;
    let (upload, limits) = (Box::new(Complete(file)), DecodeLimits::default());
    TrackReader::open(upload, &Input::Container, &limits, rate)
        .map_err(|error| undecoded(path, &error))
}

fn undecoded(path: &Path, error: &TrackError) -> CliError {
    let cause = format!("{}: {error}", path.display());
    match error.remedy() {
        Some(remedy) => CliError::new(Category::Input, cause, remedy),
        None => CliError::plain(Category::Input, cause),
    }
}
