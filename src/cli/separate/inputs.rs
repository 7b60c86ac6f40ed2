//! The songs that the arguments name: files, folders and patterns.

use std::fs::File;
use std::path::{Path, PathBuf};

use glob::MatchOptions;
use walkdir::{DirEntry, WalkDir};

use super::results::has_record;
use super::source::SongSource;
use crate::audio::titles::{folder_name, printable, title};
use crate::cli::error::CliError;
use crate::proto::reason::Category;

/// A song.
pub(super) struct SongJob {
    pub(super) source: SongSource,
    /// Where it is read from, as text: its path, or `-`.
    pub(super) input: String,
    /// The name of its file.
    pub(super) file_name: String,
    /// The name that is shown.
    pub(super) name: String,
    /// The folder of its result's folder, below the output folder: where it lies in the folder that was named.
    pub(super) folder: PathBuf,
    /// The name of its result's folder.
    pub(super) title: String,
}

/// An argument, or a file that it names, that cannot be separated.
pub(super) struct FailedInput {
    /// As text.
    pub(super) input: String,
    pub(super) error: CliError,
}

/// What the arguments name, in their order.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) songs: Vec<SongJob>,
    pub(super) failed: Vec<FailedInput>,
}

/// Files in folders are songs if their names end with one of these. A file that is named itself is always a song.
const EXTENSIONS: &[&str] = &[
    "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "ape", "au", "avi", "caf", "dsf", "dts",
    "eac3", "flac", "flv", "m2ts", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp1", "mp2", "mp3",
    "mp4", "mpc", "mpeg", "mpg", "mpga", "oga", "ogg", "ogv", "opus", "rf64", "snd", "tak", "tta",
    "ts", "w64", "wav", "wave", "webm", "weba", "wma", "wmv", "wv",
];

/// What begins a pattern; a path that exists is none, whatever its name.
const WILDCARDS: [char; 3] = ['*', '?', '['];

impl Inputs {
    /// The songs that these arguments name. Folders are searched, but for `output` and the results of earlier runs.
    pub(super) fn of(arguments: &[PathBuf], output: &Path) -> Inputs {
        let mut inputs = Inputs::default();
        // Compared with folders by what it is, not by how it is written.
        let output = output.canonicalize().ok();
        for argument in arguments {
            let is_pattern = argument.to_string_lossy().contains(WILDCARDS);
            if argument.as_os_str() == "-" {
                inputs.add_standard_input();
            } else if is_pattern && argument.symlink_metadata().is_err() {
                inputs.add_matches(argument, output.as_deref());
            } else {
                inputs.add_path(argument, output.as_deref());
            }
        }
        inputs
    }

    fn add_standard_input(&mut self) {
        let file_name = "stdin".to_owned();
        self.songs.push(SongJob {
            source: SongSource::standard_input(),
            input: "-".to_owned(),
            name: file_name.clone(),
            title: title(&file_name),
            folder: PathBuf::new(),
            file_name,
        });
    }

    fn add_path(&mut self, path: &Path, output: Option<&Path>) {
        if path.is_dir() {
            self.add_folder(path, output)
        } else {
            self.add_file(path, Path::new(""))
        }
    }

    /// Adds what a pattern matches, as shells do: in order of the names, without hidden files.
    fn add_matches(&mut self, pattern: &Path, output: Option<&Path>) {
        let text = pattern.to_string_lossy();
        let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
        let matches = match glob::glob_with(&text, options) {
            Ok(matches) => matches,
            Err(error) => {
                let cause = format!("{text} does not exist, and is no pattern: {error}");
                return self.fail(pattern, cause, "Name an audio file, or correct the pattern.");
            }
        };
        let before = (self.songs.len(), self.failed.len());
        for found in matches {
            match found {
                Ok(path) => self.add_path(&path, output),
                Err(error) => {
                    let cause =
                        format!("cannot read {}: {}", error.path().display(), error.error());
                    self.fail(error.path(), cause, READABLE);
                }
            }
        }
        if before == (self.songs.len(), self.failed.len()) {
            let remedy = "Name an audio file, or correct the pattern.";
            self.fail(pattern, format!("no file matches {text}"), remedy);
        }
    }

    /// Adds the songs in a folder and in those below it, in order of their names.
    fn add_folder(&mut self, folder: &Path, output: Option<&Path>) {
        let before = (self.songs.len(), self.failed.len());
        let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| is_searched(entry, output)) {
            match entry {
                Ok(entry) if is_song(entry.path()) => {
                    let path = entry.path();
                    let below = path.strip_prefix(folder).ok().and_then(Path::parent);
                    self.add_file(path, below.unwrap_or(Path::new("")));
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    self.fail(&path, format!("cannot read a folder: {error}"), READABLE);
                }
            }
        }
        if before == (self.songs.len(), self.failed.len()) {
            let cause = format!("{} has no audio files", folder.display());
            self.fail(folder, cause, "Name a folder of audio files, or the files themselves.");
        }
    }

    /// Adds a file that lies in `below`, relative to the folder that was named.
    fn add_file(&mut self, path: &Path, below: &Path) {
        if let Err(error) = File::open(path) {
            let cause = format!("cannot read {}: {error}", path.display());
            return self.fail(path, cause, "Name an audio file.");
        }
        let file_name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let shown = below.join(&file_name);
        self.songs.push(SongJob {
            source: SongSource::file(path.to_owned()),
            input: path.to_string_lossy().into_owned(),
            name: printable(&shown.to_string_lossy()),
            title: title(&file_name),
            folder: below.iter().map(|name| folder_name(&name.to_string_lossy())).collect(),
            file_name,
        });
    }

    fn fail(&mut self, path: &Path, cause: String, remedy: &str) {
        let input = path.to_string_lossy().into_owned();
        self.failed
            .push(FailedInput { input, error: CliError::new(Category::Input, cause, remedy) });
    }
}

const READABLE: &str = "Check that you may read it.";

/// Whether a folder or file below a named folder is looked at: what is hidden is not, nor are stems.
fn is_searched(entry: &DirEntry, output: Option<&Path>) -> bool {
    if entry.depth() == 0 {
        return true;
    }
    if entry.file_name().to_string_lossy().starts_with('.') {
        return false;
    }
    let is_output = || entry.path().canonicalize().is_ok_and(|path| Some(&*path) == output);
    !entry.file_type().is_dir() || !(has_record(entry.path()) || is_output())
}

/// Whether a path is that of a file with the name of an audio or video file.
fn is_song(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str()) && path.is_file()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], songs: &[(&str, &str)], failed: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in [
            "top.mp3",
            "[1].wav",
            "in/b.FLAC",
            "in/a.ogg",
            "in/cover.jpg",
            "in/.hidden.mp3",
            "in/vol. 1/c.wav",
            "in/.trash/d.wav",
            "out/x/vocals.wav",
            "empty/readme.txt",
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "").unwrap();
        }
        let arguments: Vec<_> = arguments.iter().map(|path| root.join(path)).collect();
        let inputs = Inputs::of(&arguments, &root.join("out"));
        let text = |path: &Path| path.to_string_lossy().replace('\\', "/");
        let found = inputs.songs.iter().map(|song| {
            (
                text(Path::new(&song.input).strip_prefix(root).unwrap()),
                text(&song.folder.join(&song.title)),
            )
        });
        let found: Vec<_> = found.collect();
        let found: Vec<_> = found.iter().map(|(song, result)| (&song[..], &result[..])).collect();
        assert_eq!(found, songs);
        let found = inputs
            .failed
            .iter()
            .map(|failed| text(Path::new(&failed.input).strip_prefix(root).unwrap()));
        assert_eq!(found.collect::<Vec<_>>(), failed);
    }

    #[test]
    fn folders_are_searched_and_mirrored() {
        let of_in = [("in/a.ogg", "a"), ("in/b.FLAC", "b"), ("in/vol. 1/c.wav", "vol. 1/c")];
        check(&["in"], &of_in, &[]);
        check(&["empty"], &[], &["empty"]);
        check(&["nosuch", "top.mp3"], &[("top.mp3", "top")], &["nosuch"]);
        check(
            &[""],
            &[
                ("[1].wav", "[1]"),
                ("in/a.ogg", "in/a"),
                ("in/b.FLAC", "in/b"),
                ("in/vol. 1/c.wav", "in/vol. 1/c"),
                ("top.mp3", "top"),
            ],
            &[],
        );
    }

    #[test]
    fn patterns_are_expanded_unless_a_file_has_that_name() {
        check(&["[1].wav"], &[("[1].wav", "[1]")], &[]);
        check(&["[!1]*.mp3", "in/*.ogg"], &[("top.mp3", "top"), ("in/a.ogg", "a")], &[]);
        check(&["in/v*"], &[("in/vol. 1/c.wav", "c")], &[]);
        check(&["in/*.mp3", "[", "*.wav"], &[("[1].wav", "[1]")], &["in/*.mp3", "["]);
        check(&["in/**/*.wav"], &[("in/vol. 1/c.wav", "c")], &[]);
    }
}
