//! The folder of a result.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::record::{ResultFiles, ResultIdentity, ResultRecord};
use crate::cli::error::CliError;
use crate::proto::reason::Category;

/// Where a result goes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli::separate) enum Placement {
    /// This folder has it.
    Exists {
        /// The folder.
        folder: PathBuf,
        /// Whether another model than the requested one computed a part of it.
        has_fallback: bool,
    },
    /// This folder does not exist, or is empty.
    New(PathBuf),
    /// This folder has a result of the same song that is incomplete, or that is to be replaced.
    Replace(PathBuf),
}

/// Folders of one title that are tried.
const MAX_NUMBER: u32 = 10_000;

/// Finds the folder for a result below `output`: `TITLE`, or `TITLE (2)` and so on where that has the result of another
/// song or of other settings. `identity` is called where there is a result; it returns `None` for standard input that has not
/// been read, which then counts as another song. With `force`, a result of the same song, and files that are no result, are
/// replaced.
///
/// # Errors
/// The folder has files that Stemwire did not write, or cannot be written; errors of `identity`.
pub(in crate::cli::separate) fn place(
    output: &Path,
    title: &str,
    identity: &dyn Fn() -> Result<Option<ResultIdentity>, CliError>,
    force: bool,
) -> Result<Placement, CliError> {
    for number in 1..=MAX_NUMBER {
        let is_first = number == 1;
        let name = if is_first { title.to_owned() } else { format!("{title} ({number})") };
        let folder = output.join(name);
        match state(&folder).map_err(|error| CliError::disk(&folder, &error))? {
            FolderState::Missing | FolderState::Empty => return writable(Placement::New(folder)),
            FolderState::File if is_first => return Err(file_in_the_way(&folder)),
            FolderState::File => {}
            FolderState::Result(record) => {
                if let Some(identity) = identity()?
                    && let Some(placement) = of_result(&record, folder, &identity, force)
                {
                    return writable(placement);
                }
            }
            FolderState::Foreign if force => return writable(Placement::Replace(folder)),
            FolderState::Foreign if is_first => return Err(foreign(&folder)),
            FolderState::Foreign => {}
        }
    }
    let cause = format!("{} has {MAX_NUMBER} folders named {title}", output.display());
    Err(CliError::new(Category::Usage, cause, "Use another folder, with --output."))
}

/// What is at the path of a folder.
enum FolderState {
    Missing,
    Empty,
    File,
    Result(Box<ResultRecord>),
    /// Files without a record.
    Foreign,
}

fn state(folder: &Path) -> io::Result<FolderState> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FolderState::Missing),
        Err(error) => return Err(error),
        Ok(_) if !folder.is_dir() => return Ok(FolderState::File),
        Ok(_) => {}
    }
    if let Some(record) = ResultRecord::read(folder) {
        return Ok(FolderState::Result(Box::new(record)));
    }
    let is_empty = fs::read_dir(folder)?.next().is_none();
    Ok(if is_empty { FolderState::Empty } else { FolderState::Foreign })
}

/// The placement in a folder that has a result; `None` if the result belongs elsewhere.
fn of_result(
    record: &ResultRecord,
    folder: PathBuf,
    identity: &ResultIdentity,
    force: bool,
) -> Option<Placement> {
    if record.identity.source != identity.source {
        return None;
    }
    if force {
        return Some(Placement::Replace(folder));
    }
    if record.identity != *identity {
        return None;
    }
    match record.check(&folder) {
        ResultFiles::Whole => {
            Some(Placement::Exists { folder, has_fallback: record.has_fallback() })
        }
        ResultFiles::Missing => Some(Placement::Replace(folder)),
        ResultFiles::Changed => None,
    }
}

/// Refuses a folder that exists and cannot be written.
fn writable(placement: Placement) -> Result<Placement, CliError> {
    if let Placement::Replace(folder) | Placement::New(folder) = &placement
        && folder.is_dir()
    {
        tempfile::tempfile_in(folder).map_err(|error| CliError::disk(folder, &error))?;
    }
    Ok(placement)
}

fn file_in_the_way(folder: &Path) -> CliError {
    let cause =
        format!("{} is not a folder, and the stems need one of this name", folder.display());
    CliError::new(Category::Disk, cause, "Move it away, or use another folder, with --output.")
}

fn foreign(folder: &Path) -> CliError {
    let cause = format!("{} has files that are not a result of this program", folder.display());
    let remedy = "Use another folder, with --output, or --force to write the stems into this one.";
    CliError::new(Category::Usage, cause, remedy)
}
