//! The record of a result: `stemwire.json` beside the stems.

use std::fs::{self, File};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::source_summary::SourceSummary;
use crate::audio::{StemName, wav};
use crate::dsp::mask::MaskExtension;
use crate::files;
use crate::model::Sha256Hash;
use crate::session::settings::{Accompaniment, Normalization, OutputChannels, OutputRate};

/// The name of its file.
pub(super) const FILE: &str = "stemwire.json";

/// Larger files are not records.
const MAX_BYTES: u64 = 1 << 20;

/// What a result depends on: runs of equal identity yield equal stems, but for the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultIdentity {
    pub(in crate::cli::separate) source: ResultSource,
    /// The model that the run began with.
    pub(in crate::cli::separate) model: ResultModel,
    pub(in crate::cli::separate) settings: ResultSettings,
}

/// The song.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultSource {
    /// The name of its file. Songs of equal contents are equal.
    pub(in crate::cli::separate) name: String,
    pub(in crate::cli::separate) bytes: u64,
    pub(in crate::cli::separate) sha256: Sha256Hash,
}

impl PartialEq for ResultSource {
    fn eq(&self, other: &ResultSource) -> bool {
        (self.bytes, self.sha256) == (other.bytes, other.sha256)
    }
}

/// A model, and the stems that it has.
#[derive(Debug, Clone)]
pub(in crate::cli::separate) struct RequestedModel {
    pub(in crate::cli::separate) model: ResultModel,
    pub(in crate::cli::separate) stems: Vec<StemName>,
}

/// A model.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultModel {
    pub(in crate::cli::separate) name: String,
    pub(in crate::cli::separate) weights_sha256: String,
}

/// The settings that the bytes of the stems depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultSettings {
    /// The stems, in order of their names.
    pub(in crate::cli::separate) stems: Vec<String>,
    /// The format of the files.
    pub(in crate::cli::separate) format: String,
    /// The template for the names of the files; `None` for those of the stems.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::cli::separate) name: Option<String>,
    /// In kbit/s; `None` for the default of the format.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::cli::separate) bitrate: Option<u32>,
    pub(in crate::cli::separate) fit: bool,
    /// Whether the files have the tags of the song. Files of earlier versions have none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::cli::separate) tags: bool,
    pub(in crate::cli::separate) rate: OutputRate,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::cli::separate) channels: OutputChannels,
    /// Where the part begins that was separated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::cli::separate) start_s: f64,
    /// Where it ends; `None` at the end of the song.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::cli::separate) end_s: Option<f64>,
    /// The audio track of a file with several.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::cli::separate) track: Option<NonZero<u32>>,
    pub(in crate::cli::separate) normalization: Normalization,
    pub(in crate::cli::separate) accompaniment: Accompaniment,
    pub(in crate::cli::separate) mask_extension: MaskExtension,
    /// `None` for that of the model.
    pub(in crate::cli::separate) overlap: Option<f64>,
    /// The form of raw PCM.
    pub(in crate::cli::separate) raw: Option<String>,
    /// `exact` or `fast`; a server has its own.
    pub(in crate::cli::separate) precision: Option<String>,
}

/// Whether a setting that records of earlier versions lack has the value that these stand for.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An engine that computed a part of the song.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultEngine {
    #[serde(flatten)]
    pub(in crate::cli::separate) model: ResultModel,
    pub(in crate::cli::separate) provider: String,
    pub(in crate::cli::separate) precision: String,
    pub(in crate::cli::separate) runtime: String,
    /// The models of an ensemble.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli::separate) members: Vec<ResultModel>,
}

/// How the last engine cut the track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultWindows {
    /// Such as `centred` or `mirrored`.
    pub(in crate::cli::separate) shape: String,
    /// Fraction of a segment that overlaps the next.
    pub(in crate::cli::separate) overlap: f64,
    /// Frames of a segment.
    pub(in crate::cli::separate) segment_frames: u64,
}

/// A stem's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultStem {
    pub(in crate::cli::separate) name: String,
    pub(in crate::cli::separate) file: String,
    pub(super) sha256: Sha256Hash,
}

/// What a folder of stems is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct ResultRecord {
    /// Version of this format.
    pub(super) version: u32,
    /// Whether all files are in place.
    pub(super) complete: bool,
    /// Version of the program.
    pub(super) stemwire: String,
    #[serde(flatten)]
    pub(super) identity: ResultIdentity,
    /// In the order in which they computed.
    pub(in crate::cli::separate) engines: Vec<ResultEngine>,
    /// Why the model was chosen, if the run asked for speed or quality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::separate) model_choice: Option<String>,
    /// How the last engine cut the track. Records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::separate) windows: Option<ResultWindows>,
    pub(in crate::cli::separate) sample_rate: u32,
    pub(in crate::cli::separate) frames: u64,
    pub(in crate::cli::separate) notices: Vec<String>,
    /// What the song is. Records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::separate) source_info: Option<SourceSummary>,
    pub(in crate::cli::separate) stems: Vec<ResultStem>,
}

/// A result and its folder.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli::separate) struct WrittenResult {
    pub(in crate::cli::separate) folder: PathBuf,
    pub(in crate::cli::separate) record: ResultRecord,
}

impl WrittenResult {
    /// Whether it is the result with this identity, and its files are as they were written.
    pub(in crate::cli::separate) fn is_whole(&self, identity: &ResultIdentity) -> bool {
        self.record.identity == *identity && self.record.check(&self.folder) == ResultFiles::Whole
    }
}

/// What has become of the files of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResultFiles {
    /// All are as they were written.
    Whole,
    /// Some are missing or incomplete; the others are as they were written.
    Missing,
    /// Something else has changed one.
    Changed,
}

impl ResultRecord {
    /// The version that this program writes.
    pub(super) const VERSION: u32 = 1;

    /// The record in a folder; `None` if there is none that this program can read.
    pub(super) fn read(folder: &Path) -> Option<ResultRecord> {
        let path = folder.join(FILE);
        if fs::metadata(&path).ok()?.len() > MAX_BYTES {
            return None;
        }
        let record: ResultRecord = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let has_plain_names = record.stems.iter().all(|stem| is_plain(&stem.file));
        (record.version == Self::VERSION && has_plain_names).then_some(record)
    }

    /// Writes the record into a folder, replacing one that is there.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        files::replace(&folder.join(FILE), text.as_bytes())
    }

    /// Reads the files of the stems and compares their hashes.
    pub(super) fn check(&self, folder: &Path) -> ResultFiles {
        let mut found = ResultFiles::Whole;
        for stem in &self.stems {
            match stem.is_in(folder) {
                Some(true) => {}
                // An interrupted run replaces files one by one, and a file that lost its end is no work of the user.
                None => found = ResultFiles::Missing,
                Some(false) if !self.complete => found = ResultFiles::Missing,
                Some(false) => return ResultFiles::Changed,
            }
        }
        if self.complete { found } else { ResultFiles::Missing }
    }

    /// Whether other models than that of the identity computed a part.
    pub(in crate::cli::separate) fn has_fallback(&self) -> bool {
        self.engines.iter().any(|engine| engine.model.name != self.identity.model.name)
    }
}

impl ResultStem {
    /// Whether a folder has this very file; `None` if there is none, or none that is complete.
    pub(super) fn is_in(&self, folder: &Path) -> Option<bool> {
        let path = folder.join(&self.file);
        let is_complete = match path.extension().is_some_and(|extension| extension == "wav") {
            true => File::open(&path).map(|file| wav::is_complete(io::BufReader::new(file))),
            false => fs::metadata(&path).map(|metadata| metadata.len() > 0),
        };
        if !is_complete.unwrap_or(false) {
            return None;
        }
        Some(Sha256Hash::of_file(&path).ok()? == self.sha256)
    }
}

/// Whether a folder is that of a result.
pub(in crate::cli::separate) fn has_record(folder: &Path) -> bool {
    ResultRecord::read(folder).is_some()
}

/// Whether a name is that of a file in the folder itself.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != ".." && name != "." && !name.contains(['/', '\\', '\0'])
}
