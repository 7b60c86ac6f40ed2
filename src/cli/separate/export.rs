//! Writes the stems of a song to its folder, in the requested format: all of them or none.

use std::any::Any;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::audio::wav::{self, GrowingWav, HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, Frames, Hertz, StemName};
use crate::cli::error::CliError;

/// The stems of a song as F32 files in the scratch directory.
#[derive(Debug)]
pub(super) struct SeparatedSong {
    pub(super) stems: Vec<SeparatedStem>,
    pub(super) rate: Hertz,
    pub(super) frames: Frames,
    /// Notices for the user.
    pub(super) notices: Vec<String>,
    /// Removes the files when dropped.
    pub(super) _files: Box<dyn Any>,
}

/// A stem of a song.
#[derive(Debug)]
pub(super) struct SeparatedStem {
    pub(super) name: StemName,
    pub(super) file: PathBuf,
    /// The largest absolute sample.
    pub(super) peak: f32,
}

/// Frames converted at once.
const PIECE_FRAMES: usize = 65_536;

/// Moves or converts the stems into `folder`. With `fit`, all stems get one gain so that no integer clips; without,
/// clipped samples are counted and reported.
pub(super) fn write_files(
    song: &SeparatedSong,
    folder: &Path,
    encoding: Encoding,
    fit: bool,
) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|error| CliError::disk(folder, &error))?;
    let peak = song.stems.iter().fold(0.0_f32, |peak, stem| peak.max(stem.peak));
    let gain = if fit { encoding.fitting_gain(peak) } else { 1.0 };
    if gain < 1.0 {
        let decibels = 20.0 * f64::from(gain).log10();
        eprintln!("note: all stems have a gain of {decibels:.2} dB, so that none clips");
    }
    let mut parts = Vec::new();
    for stem in &song.stems {
        let target = folder.join(format!("{}.wav", stem.name));
        let part = folder.join(format!(".{}.wav.part", stem.name));
        let made = if encoding == Encoding::F32Le {
            fs::rename(&stem.file, &part).map(|()| 0)
        } else {
            convert(&stem.file, &part, song, encoding, gain)
        };
        let clipped = made.map_err(|error| CliError::disk(&part, &error))?;
        if clipped > 0 {
            eprintln!("note: {clipped} samples of {} were clipped; use --fit", stem.name);
        }
        parts.push((part, target));
    }
    for (part, target) in parts {
        fs::rename(&part, &target).map_err(|error| CliError::disk(&target, &error))?;
    }
    Ok(())
}

/// Writes the F32 file `from` in another encoding. Returns how many samples were clipped.
fn convert(
    from: &Path,
    to: &Path,
    song: &SeparatedSong,
    encoding: Encoding,
    gain: f32,
) -> std::io::Result<u64> {
    let mut source = BufReader::new(File::open(from)?);
    source.seek(SeekFrom::Start(HEADER_BYTES))?;
    if to.exists() {
        fs::remove_file(to)?;
    }
    let mut wav = GrowingWav::create(to, encoding, song.rate)?;
    let mut bytes = vec![0; PIECE_FRAMES * frame_bytes(Encoding::F32Le) as usize];
    let mut left = song.frames.as_len();
    let mut clipped = 0;
    while left > 0 {
        let frames = left.min(PIECE_FRAMES);
        let bytes = &mut bytes[..frames * frame_bytes(Encoding::F32Le) as usize];
        source.read_exact(bytes)?;
        let mut audio = Encoding::F32Le.read_frames(bytes);
        audio.scale(gain);
        clipped += wav.append(&audio)?;
        left -= frames;
    }
    wav.finish()?;
    Ok(clipped)
}

/// Whether `path` is a complete WAV file.
fn is_complete(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| wav::is_complete(BufReader::new(file)))
}

/// Whether a folder has all of these stems, complete.
pub(super) fn has_all(folder: &Path, stems: &[StemName]) -> bool {
    !stems.is_empty() && stems.iter().all(|stem| is_complete(&folder.join(format!("{stem}.wav"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Stereo;

    fn separated(folder: &Path, loudest: f32) -> SeparatedSong {
        let file = folder.join("source.wav");
        let mut wav = GrowingWav::create(&file, Encoding::F32Le, Hertz(44_100)).unwrap();
        let plane = vec![0.5, loudest, -0.25];
        wav.append(&Stereo::from_planes(plane.clone(), plane).unwrap()).unwrap();
        wav.finish().unwrap();
        let stem = SeparatedStem { name: "vocals".parse().unwrap(), file, peak: loudest };
        let (rate, frames) = (Hertz(44_100), Frames(3));
        SeparatedSong { stems: vec![stem], rate, frames, notices: Vec::new(), _files: Box::new(()) }
    }

    #[track_caller]
    fn check(encoding: Encoding, fit: bool, loudest: f32, expected: [f32; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("song");
        let stems = ["vocals".parse().unwrap()];
        assert!(!has_all(&target, &stems));
        write_files(&separated(folder.path(), loudest), &target, encoding, fit).unwrap();
        let path = target.join("vocals.wav");
        assert!(has_all(&target, &stems) && !has_all(&target, &[]));
        let more = ["vocals".parse().unwrap(), "drums".parse().unwrap()];
        assert!(!has_all(&target, &more));
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
        let mut reader = hound::WavReader::open(path).unwrap();
        let samples: Vec<f32> = match encoding {
            Encoding::F32Le => reader.samples::<f32>().map(Result::unwrap).collect(),
            _ => reader.samples::<i32>().map(|s| s.unwrap() as f32 / 32_768.0).collect(),
        };
        let left: Vec<f32> = samples.iter().step_by(2).copied().collect();
        assert!(left.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{left:?}");
    }

    #[test]
    fn files_have_the_encoding_and_the_gain_asked_for() {
        check(Encoding::F32Le, false, 2.0, [0.5, 2.0, -0.25]);
        check(Encoding::S16Le, false, 2.0, [0.5, 1.0, -0.25]);
        check(Encoding::S16Le, true, 2.0, [0.25, 1.0, -0.125]);
        check(Encoding::S16Le, true, 0.5, [0.5, 0.5, -0.25]);
    }
}
