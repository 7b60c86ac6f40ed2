//! Results among whatever is in the output folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::record::{FILE, ResultFiles, ResultRecord, ResultStem};
use super::*;
use crate::audio::wav::GrowingWav;
use crate::audio::{Encoding, FileFormat, Frames, Hertz, StemName, Stereo};
use crate::cli::error::CliError;
use crate::dsp::mask::MaskExtension;
use crate::model::Sha256Hash;
use crate::session::settings::{Accompaniment, Normalization, OutputChannels, OutputRate};

const STEMS: [&str; 2] = ["drums", "vocals"];

fn identity(song: u8, overlap: Option<f64>) -> ResultIdentity {
    ResultIdentity {
        source: ResultSource {
            name: format!("{song}.wav"),
            bytes: 1,
            sha256: Sha256Hash::of(&[song]),
        },
        model: ResultModel { name: "mini".into(), weights_sha256: "00".into() },
        settings: ResultSettings {
            stems: STEMS.map(str::to_owned).to_vec(),
            format: "wav-f32".into(),
            name: None,
            bitrate: None,
            fit: false,
            tags: false,
            rate: OutputRate::Model,
            channels: OutputChannels::Stereo,
            start_s: 0.0,
            end_s: None,
            track: None,
            normalization: Normalization::Streaming,
            accompaniment: Accompaniment::Sum,
            mask_extension: MaskExtension::Average,
            overlap,
            raw: None,
            precision: None,
        },
    }
}

/// Writes the result of a song, whose samples are `song`.
fn write(output: &Path, song: u8, overlap: Option<f64>, force: bool) -> Result<PathBuf, CliError> {
    let scratch = tempfile::tempdir_in(output).unwrap();
    let stem = |name: &str| {
        let file = scratch.path().join(name);
        let mut wav = GrowingWav::create(&file, Encoding::F32Le, Hertz(44_100)).unwrap();
        let plane = vec![f32::from(song), overlap.unwrap_or(0.0) as f32];
        wav.append(&Stereo::from_planes(plane.clone(), plane).unwrap()).unwrap();
        wav.finish().unwrap();
        SeparatedStem { name: name.parse().unwrap(), file, peak: 1.0 }
    };
    let separated = SeparatedSong {
        stems: STEMS.map(stem).into(),
        rate: Hertz(44_100),
        frames: Frames(2),
        source_channels: 2,
        source: None,
        cover: None,
        notices: Vec::new(),
        engines: Vec::new(),
        choice: None,
        windows: None,
        scratch: scratch.path().to_owned(),
        _files: Box::new(()),
    };
    let options = FileOptions {
        format: OutputFormat::Each(FileFormat::WavF32),
        bitrate: None,
        channels: OutputChannels::Stereo,
        fit: false,
        tags: false,
        force,
        ffmpeg: None,
    };
    let (identity, file_name) = (identity(song, overlap), &StemName::to_string);
    let written = write_result(&separated, output, "song", identity, &options, file_name);
    written.map(|result| result.folder)
}

/// What is found in the place of a folder.
#[derive(Debug, Clone, Copy)]
enum Obstacle {
    Nothing,
    EmptyFolder,
    File,
    /// A user's own files, one of them with a stem's name.
    Foreign,
    OtherSong,
    OtherSettings,
    SameResult,
    /// A result of the song, one of whose stems a user has edited.
    Edited,
    /// A result of the song, one of whose stems is missing.
    MissingStem,
    /// What an interrupted replacement leaves.
    Interrupted,
}

const OBSTACLES: [Obstacle; 10] = [
    Obstacle::Nothing,
    Obstacle::EmptyFolder,
    Obstacle::File,
    Obstacle::Foreign,
    Obstacle::OtherSong,
    Obstacle::OtherSettings,
    Obstacle::SameResult,
    Obstacle::Edited,
    Obstacle::MissingStem,
    Obstacle::Interrupted,
];

impl Obstacle {
    fn make(self, folder: &Path) {
        let vocals = folder.join("vocals.wav");
        let result = |song, overlap| {
            let elsewhere = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
            fs::rename(write(elsewhere.path(), song, overlap, false).unwrap(), folder).unwrap();
        };
        match self {
            Obstacle::Nothing => {}
            Obstacle::EmptyFolder => fs::create_dir(folder).unwrap(),
            Obstacle::File => fs::write(folder, "a user's").unwrap(),
            Obstacle::Foreign => {
                fs::create_dir(folder).unwrap();
                fs::write(&vocals, "a user's").unwrap();
            }
            Obstacle::OtherSong => result(2, None),
            Obstacle::OtherSettings => result(1, Some(0.5)),
            Obstacle::SameResult => result(1, None),
            Obstacle::Edited => {
                result(1, None);
                let mut bytes = fs::read(&vocals).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                fs::write(&vocals, bytes).unwrap();
            }
            Obstacle::MissingStem => {
                result(1, None);
                fs::remove_file(vocals).unwrap();
            }
            Obstacle::Interrupted => {
                result(1, None);
                let record = ResultRecord::read(folder).unwrap();
                ResultRecord { complete: false, ..record }.write(folder).unwrap();
                fs::remove_file(vocals).unwrap();
            }
        }
    }

    /// Whether files of a run without `--force`, or with it, may be written where this is, as the first or a later folder.
    fn may_be_replaced(self, is_first: bool, force: bool) -> bool {
        match self {
            Obstacle::Nothing
            | Obstacle::EmptyFolder
            | Obstacle::MissingStem
            | Obstacle::Interrupted => true,
            Obstacle::Foreign => force && is_first,
            Obstacle::OtherSettings | Obstacle::SameResult | Obstacle::Edited => force,
            Obstacle::File | Obstacle::OtherSong => false,
        }
    }
}

/// Every file below `folder`, with its contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(contents(&entry.path()));
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// The names in `folder`.
fn names(folder: &Path) -> impl Iterator<Item = OsString> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn a_result_is_whole_and_nothing_of_others_changes(
        obstacles in prop::collection::vec(prop::sample::select(&OBSTACLES[..]), 0..4),
        force in any::<bool>(),
    ) {
        let output = tempfile::tempdir().unwrap();
        let folder = |index: usize| match index {
            0 => output.path().join("song"),
            _ => output.path().join(format!("song ({})", index + 1)),
        };
        for (index, obstacle) in obstacles.iter().enumerate() {
            obstacle.make(&folder(index));
        }
        let before = contents(output.path());
        let written = write(output.path(), 1, None, force);
        let after = contents(output.path());
        for (index, obstacle) in obstacles.iter().enumerate() {
            if !obstacle.may_be_replaced(index == 0, force) {
                let of_others = |path: &&PathBuf| path.starts_with(folder(index));
                for path in before.keys().filter(of_others) {
                    prop_assert_eq!(after.get(path), before.get(path), "{}", path.display());
                }
            }
        }
        match written {
            Ok(written) => {
                let is_free = (0..=obstacles.len()).any(|index| folder(index) == written);
                prop_assert!(is_free, "{}", written.display());
                let record = ResultRecord::read(&written).unwrap();
                prop_assert_eq!(&record.identity, &identity(1, None));
                prop_assert_eq!(record.check(&written), ResultFiles::Whole);
                let is_partial = |name: OsString| name.to_string_lossy().starts_with('.');
                prop_assert!(!names(output.path()).chain(names(&written)).any(is_partial));
                // A second run finds it.
                let same = || Ok(Some(identity(1, None)));
                let found = place(output.path(), "song", &same, false);
                if let Ok(found) = found {
                    prop_assert!(matches!(found, Placement::Exists(_)), "{found:?}");
                } else {
                    prop_assert!(force, "only a forced run passes over what is in the way");
                }
            }
            Err(_) => {
                prop_assert_eq!(&after, &before);
                let first = obstacles.first().copied();
                let is_refused = match first {
                    Some(Obstacle::File) => true,
                    Some(Obstacle::Foreign) => !force,
                    _ => false,
                };
                prop_assert!(is_refused, "{first:?}");
            }
        }
    }
}

#[test]
fn a_record_names_no_file_outside_its_folder() {
    let output = tempfile::tempdir().unwrap();
    let folder = write(output.path(), 1, None, false).unwrap();
    let text = fs::read_to_string(folder.join(FILE)).unwrap();
    for name in ["../vocals.wav", "..", "/vocals.wav", ""] {
        fs::write(folder.join(FILE), text.replace("vocals.wav", name)).unwrap();
        assert!(ResultRecord::read(&folder).is_none(), "{name:?}");
    }
}

#[test]
fn stems_of_other_settings_do_not_stay_beside_those_that_replace_them() {
    let output = tempfile::tempdir().unwrap();
    let folder = write(output.path(), 1, None, false).unwrap();
    let mut record = ResultRecord::read(&folder).unwrap();
    fs::copy(folder.join("vocals.wav"), folder.join("bass.wav")).unwrap();
    let bass = record.stems[1].clone();
    record.stems.push(ResultStem { file: "bass.wav".into(), ..bass });
    record.write(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "a user's").unwrap();
    assert_eq!(write(output.path(), 1, Some(0.5), true).unwrap(), folder);
    assert!(!folder.join("bass.wav").exists() && folder.join("notes.txt").exists());
}
