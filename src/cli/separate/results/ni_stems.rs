//! Writes the stems of a song into one NI stem file.

use std::io;
use std::path::Path;

use super::file_options::{FileOptions, gain_notice};
use super::record::ResultStem;
use super::separated_song::{SeparatedSong, StemBlocks};
use crate::audio::{Encoding, StemName, Stereo};
use crate::cli::error::CliError;
use crate::encode::ni_stems::{NiStemCodec, NiStemPlan, NiStemsEncoder};
use crate::encode::{EncodeError, FileTags, Output};
use crate::model::Sha256Hash;

/// Writes all stems into one file. Adds notices of what the user should know of it.
pub(super) fn write_ni_stems(
    song: &SeparatedSong,
    folder: &Path,
    title: &str,
    options: &FileOptions,
    tags: Option<FileTags>,
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
            NiStemsEncoder::start(plan.clone(), song.rate, codec, tags, Output::create(&path)?)?;
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
