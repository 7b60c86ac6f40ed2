//! `stemwire score`: how near stems come to the true ones.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CliError;
use super::runtime::write;
use crate::audio::{Hertz, StemName, Stereo};
use crate::decode::track::{TrackError, TrackReader};
use crate::decode::{Complete, DecodeLimits, Input};
use crate::dsp::Score;
use crate::proto::reason::Category;

/// What was typed.
#[derive(Debug, Args)]
pub(super) struct ScoreArgs {
    /// Folder with the stems, one audio file each, named after them
    #[arg(value_name = "STEMS")]
    stems: PathBuf,
    /// Folder with the true ones
    #[arg(value_name = "TRUTH")]
    truth: PathBuf,
}

/// Compares every stem that is in both folders.
pub(super) fn run(arguments: &ScoreArgs) -> Result<(), CliError> {
    let (stems, truth) = (files(&arguments.stems)?, files(&arguments.truth)?);
    let mut report = format!("{:<14} {:>8} {:>8}   in dB\n", "stem", "SDR", "SI-SDR");
    let mut compared = 0;
    for (name, true_file) in &truth {
        let Some((_, file)) = stems.iter().find(|(stem, _)| stem == name) else {
            eprintln!("note: {} has no {name}", arguments.stems.display());
            continue;
        };
        let score = compare(file, true_file)?;
        let line = if score.is_silent() {
            format!("{name:<14} {:>8} {:>8}   (true stem is silent)", "–", "–")
        } else {
            format!("{name:<14} {:>8.2} {:>8.2}", score.sdr(), score.si_sdr())
        };
        writeln!(report, "{line}")
            .map_err(|error| CliError::plain(Category::Other, error.to_string()))?;
        compared += 1;
    }
    if compared == 0 {
        let cause = format!(
            "no stem is in both {} and {}",
            arguments.stems.display(),
            arguments.truth.display()
        );
        return Err(CliError::new(
            Category::Input,
            cause,
            "give folders with files named after their stems, such as vocals.wav",
        ));
    }
    write(&report)
}

/// The audio files of a folder that are named after stems, in order.
fn files(folder: &Path) -> Result<Vec<(StemName, PathBuf)>, CliError> {
    let unreadable = |error: std::io::Error| {
        let cause = format!("cannot read {}: {error}", folder.display());
        CliError::new(Category::Input, cause, "name a folder with one audio file a stem")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_named = |end: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(end));
        if !["wav", "flac", "ogg", "mp3", "m4a", "aiff", "aif"].iter().any(|end| is_named(end)) {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()?.parse().ok());
        found.extend(name.map(|name: StemName| (name, path)));
    }
    found.sort();
    Ok(found)
}

/// Both are brought to the rate of the true stem.
fn compare(file: &Path, truth: &Path) -> Result<Score, CliError> {
    let rate = open(truth, None)?.source().rate;
    let (mut truth_track, mut track) = (open(truth, Some(rate))?, open(file, Some(rate))?);
    let mut score = Score::default();
    let (mut expected, mut found) = (Stereo::new(), Stereo::new());
    loop {
        let (more_expected, more_found) =
            (fill(&mut expected, &mut truth_track, truth)?, fill(&mut found, &mut track, file)?);
        let count = match (more_expected, more_found) {
            (false, false) => {
                score.add(&expected, &found);
                return Ok(score);
            }
            // Behind the end of one there is only the other.
            (false, true) => found.len(),
            (true, false) => expected.len(),
            (true, true) => expected.len().min(found.len()),
        };
        score.add(&expected.take_front(count), &found.take_front(count));
    }
}

/// Reads a block where there is none; answers whether there was one.
fn fill(held: &mut Stereo, track: &mut TrackReader, path: &Path) -> Result<bool, CliError> {
    if !held.is_empty() {
        return Ok(true);
    }
    match track.next_block().map_err(|error| undecoded(path, &error))? {
        Some(block) => {
            held.extend(&block);
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Opens a file at a rate, or at its own.
fn open(path: &Path, rate: Option<Hertz>) -> Result<TrackReader, CliError> {
    let open = |rate| {
        let file = File::open(path).map_err(|error| {
            let cause = format!("cannot read {}: {error}", path.display());
            CliError::new(Category::Input, cause, "see that the file is there and may be read")
        })?;
        TrackReader::open(
            Box::new(Complete(file)),
            &Input::Container,
            &DecodeLimits::default(),
            rate,
        )
        .map_err(|error| undecoded(path, &error))
    };
    match rate {
        Some(rate) => open(rate),
        None => {
            let rate = open(Hertz(44_100))?.source().rate;
            open(rate)
        }
    }
}

fn undecoded(path: &Path, error: &TrackError) -> CliError {
    let cause = format!("{}: {error}", path.display());
    match error.remedy() {
        Some(remedy) => CliError::new(Category::Input, cause, remedy),
        None => CliError::plain(Category::Input, cause),
    }
}
