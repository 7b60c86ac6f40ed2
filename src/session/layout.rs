//! The files of a session's directory. No other module builds their paths.

use std::io;
use std::path::{Path, PathBuf};

use super::SessionId;
use crate::audio::StemName;
use crate::encode::FileSpec;
use crate::files;

/// A session's directory:
///
/// ```text
/// session.json      the manifest
/// upload            the bytes as received
/// track.f32         the decoded PCM at the model's rate, interleaved; gone when done
/// silence           the edges of the upload's silent passages; gone when done
/// carry.<n>         the overlap state after n segments; gone when done
/// computing.<n>     exists while an engine computes segment n
/// stems/<stem>.wav  `.wav.part` until final
/// stems/checksums   CRC32C of each block of each stem
/// peaks/<stem>.crc32c    its waveform peaks, each with its checksum, as far as requested
/// flac/<stem>.flac       its FLAC file, once requested, and its checksums in a file `.flac.crc32c`
/// cover             the cover picture of the upload, if it has one, once decoded
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    directory: PathBuf,
}

impl Layout {
    /// The directory of session `id` below `sessions`.
    pub fn new(sessions: &Path, id: SessionId) -> Layout {
        Layout { directory: sessions.join(id.to_string()) }
    }

    /// The directory while it is written as a whole, before it gets its name.
    pub(super) fn part(&self) -> Layout {
        Layout { directory: files::part_path(&self.directory) }
    }

    /// What the store of the session has, as this directory was last the same.
    pub(super) fn replica_mark(&self) -> PathBuf {
        self.directory.join("replica.json")
    }

    /// The session's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes the directory, the manifest first: what a kill or a loss of power in between leaves is no session, and is removed
    /// at the next start.
    pub(super) fn remove(&self) -> io::Result<()> {
        missing_is_removed(std::fs::remove_file(self.manifest()))?;
        missing_is_removed(files::sync_directory(&self.directory))?;
        missing_is_removed(std::fs::remove_dir_all(&self.directory))
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.directory.join("session.json")
    }

    /// The upload.
    pub fn upload(&self) -> PathBuf {
        self.directory.join("upload")
    }

    /// The decoded track.
    pub fn track(&self) -> PathBuf {
        self.directory.join(TRACK)
    }

    /// The edges of the silent passages.
    pub fn silence(&self) -> PathBuf {
        self.directory.join(SILENCE)
    }

    /// The overlap state after this many segments.
    pub fn overlap_state(&self, segments: u64) -> PathBuf {
        self.directory.join(format!("{OVERLAP_STATE_PREFIX}{segments}"))
    }

    /// The marker that exists while an engine computes this segment.
    pub fn computing(&self, segment: u64) -> PathBuf {
        self.directory.join(format!("{COMPUTING_PREFIX}{segment}"))
    }

    /// All markers on disk: segments that engines compute, or computed when the process ended abnormally.
    pub fn all_computing(&self) -> Vec<PathBuf> {
        files_in(&self.directory, |name| name.starts_with(COMPUTING_PREFIX))
    }

    /// The files on disk that only a running session needs, including overlap states that the manifest does not name.
    pub fn scratch(&self) -> Vec<PathBuf> {
        let prefixes = [OVERLAP_STATE_PREFIX, COMPUTING_PREFIX];
        let is_scratch = |name: &str| {
            [TRACK, SILENCE].contains(&name) || prefixes.iter().any(|p| name.starts_with(p))
        };
        files_in(&self.directory, is_scratch)
    }

    /// The folder of the stems.
    pub fn stems(&self) -> PathBuf {
        self.directory.join("stems")
    }

    /// A final stem.
    pub fn stem(&self, stem: &StemName) -> PathBuf {
        self.stems().join(format!("{stem}.wav"))
    }

    /// A growing stem.
    pub fn growing_stem(&self, stem: &StemName) -> PathBuf {
        self.stems().join(format!("{stem}.wav.part"))
    }

    /// The checksums of the stems.
    pub fn checksums(&self) -> PathBuf {
        self.stems().join("checksums")
    }

    /// The cover picture of the upload.
    pub fn cover(&self) -> PathBuf {
        self.directory.join("cover")
    }

    /// The peaks of a stem, with checksums.
    pub fn peaks(&self, stem: &StemName) -> PathBuf {
        self.directory.join(PEAKS).join(format!("{stem}.crc32c"))
    }

    /// The peaks of a stem as 0.1.0 wrote them.
    pub fn unchecked_peaks(&self, stem: &StemName) -> PathBuf {
        self.directory.join(PEAKS).join(stem.as_str())
    }

    /// The FLAC file of a final stem as this release encodes it; with `fit`, of the samples scaled so that none clips.
    pub fn flac(&self, stem: &StemName, spec: &FileSpec, fit: bool) -> PathBuf {
        let (form, fit) = (spec.format.name(), if fit { ".fit" } else { "" });
        let mono = if spec.channels == 1 { ".mono" } else { "" };
        let tags = if spec.tags.is_some() { ".tags" } else { "" };
        let release = env!("CARGO_PKG_VERSION");
        self.directory.join(FLAC).join(format!("{stem}{mono}.{form}{fit}{tags}.{release}.flac"))
    }

    /// The FLAC files on disk that are incomplete: being encoded, or left by a crash.
    pub fn incomplete_flac(&self) -> Vec<PathBuf> {
        files_in(&self.directory.join(FLAC), |name| name.ends_with(".part"))
    }

    /// The folders of files that are made from stems when they are requested.
    pub(super) fn made_from_stems(&self) -> [PathBuf; 2] {
        [PEAKS, FLAC].map(|folder| self.directory.join(folder))
    }

    /// Bytes that the session's files take on the disk, found by looking at each; what cannot be read counts nothing.
    pub fn allocated_bytes(&self) -> u64 {
        fn size(path: &Path) -> u64 {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let one = |entry: std::fs::DirEntry| match entry.metadata() {
                Ok(data) if data.is_dir() => size(&entry.path()),
                Ok(data) => files::allocated_bytes(&data),
                Err(_) => 0,
            };
            entries.map(one).sum()
        }
        size(&self.directory)
    }
}

/// The result of removing a file or a folder, or of syncing one that may be gone.
pub(super) fn missing_is_removed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The files of a folder whose names are `wanted`; none if it cannot be read.
fn files_in(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| wanted(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect()
}

const TRACK: &str = "track.f32";
const SILENCE: &str = "silence";
const PEAKS: &str = "peaks";
const FLAC: &str = "flac";
const OVERLAP_STATE_PREFIX: &str = "carry.";
const COMPUTING_PREFIX: &str = "computing.";
