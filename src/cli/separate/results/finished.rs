//! A finished result, opened to read its stems.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::record::{FILE, ResultFiles, ResultRecord};
use super::source_summary::SourceSummary;
use crate::audio::{Cover, Frames, Hertz, SourceTags, StemName, title};
use crate::cli::error::CliError;
use crate::encode::FileTags;
use crate::proto::reason::Category;

/// A folder with all stems of a song, as they were written.
#[derive(Debug)]
pub(in crate::cli) struct FinishedResult {
    /// The title of the song.
    pub(in crate::cli) title: String,
    pub(in crate::cli) rate: Hertz,
    pub(in crate::cli) frames: Frames,
    /// The stems and their files.
    pub(in crate::cli) stems: Vec<(StemName, PathBuf)>,
    /// The name of the song's file.
    file_name: String,
    /// The tags of the song, if the stems have them.
    tags: Option<SourceTags>,
}

impl FinishedResult {
    /// The result in a folder. Reads all its files to compare their hashes.
    ///
    /// # Errors
    /// The folder is no result; a file is missing or was changed.
    pub(in crate::cli) fn open(folder: &Path) -> Result<FinishedResult, CliError> {
        let shown = folder.display();
        let Some(record) = ResultRecord::read(folder) else {
            let cause =
                format!("{shown} is no result of `stemwire separate`: it has no readable {FILE}");
            let remedy = "Name a folder of stems, such as stems/song.";
            return Err(CliError::new(Category::Usage, cause, remedy));
        };
        let problem = match record.check(folder) {
            ResultFiles::Whole => None,
            ResultFiles::Missing => Some("is incomplete: stems are missing"),
            ResultFiles::Changed => Some("was changed: a stem differs from its hash"),
        };
        if let Some(problem) = problem {
            let cause = format!("{shown} {problem}");
            let remedy = "Separate the song again, with --force if files were changed.";
            return Err(CliError::new(Category::Input, cause, remedy));
        }
        let stem = |name: &str, file: &str| Some((name.parse().ok()?, folder.join(file)));
        let stems = record.stems.iter().filter_map(|entry| stem(&entry.name, &entry.file));
        let tags = record.source_info.as_ref().map(SourceSummary::tags).cloned();
        Ok(FinishedResult {
            title: title(&record.identity.source.name),
            file_name: record.identity.source.name.clone(),
            tags: record.identity.settings.tags.then(|| tags.unwrap_or_default()),
            rate: Hertz(record.sample_rate),
            frames: Frames(record.frames),
            stems: stems.collect(),
        })
    }

    /// The tags of a file with this part of the song, with the cover that the stems have; `None` if they have no tags.
    pub(in crate::cli) fn file_tags(&self, part: &str) -> Option<FileTags> {
        let tags = self.tags.as_ref()?;
        let cover = |path: &PathBuf| {
            let file = File::open(path).ok()?;
            let length = file.metadata().ok()?.len();
            Cover::read(file, length).ok()?
        };
        let cover = self.stems.first().and_then(|(_, path)| cover(path));
        Some(FileTags::new(tags, &self.file_name, Some(part), cover))
    }
}
