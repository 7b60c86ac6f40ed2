//! The folder of a result.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::record::{ResultFiles, ResultIdentity, ResultRecord, WrittenResult};
use super::space::check_space;
use crate::cli::error::CliError;
use crate::proto::reason::Category;

/// Where a result goes.
#[derive(Debug)]
pub(in crate::cli::separate) enum Placement {
    /// A folder has it.
    Exists(Box<WrittenResult>),
    /// This folder does not exist, or is empty.
    New(PathBuf),
    /// This folder has a result of the same song that is incomplete, or that is to be replaced.
    Replace(PathBuf),
}

/// Folders of one title that are tried.
const MAX_NUMBER: u32 = 10_000;

/// Free space below which nothing is begun.
const LEAST_BYTES: u64 = 1 << 20;

/// Finds the folder for a result below `output`: the one that has it, or `TITLE`, or `TITLE (2)` and so on where that has the
/// result of another song or of other settings. `identity` is called where there is a result; it returns `None` for standard
/// input that has not been read, which then counts as another song.
///
/// With `force`, the result is replaced where it is; where it is nowhere, a result of the same song with other settings is
/// replaced, else files named `TITLE` that are no result.
///
/// # Errors
/// `TITLE` has files that Stemwire did not write, or cannot be written; errors of `identity`.
pub(in crate::cli::separate) fn place(
    output: &Path,
    title: &str,
    identity: &dyn Fn() -> Result<Option<ResultIdentity>, CliError>,
    force: bool,
) -> Result<Placement, CliError> {
    let folder = |number: u32| match number {
        1 => output.join(title),
        _ => output.join(format!("{title} ({number})")),
    };
    let mut of_the_song = None;
    let mut in_the_way = None;
    for number in 1..=MAX_NUMBER {
        let folder = folder(number);
        match state(&folder).map_err(|error| CliError::disk(&folder, &error))? {
            FolderState::Missing | FolderState::Empty => {
                let placement = match (of_the_song, in_the_way) {
                    (Some(folder), _) if force => Placement::Replace(folder),
                    (_, Some(InTheWay::Files(folder))) if force => Placement::Replace(folder),
                    (_, Some(in_the_way)) => return Err(in_the_way.into()),
                    _ => Placement::New(folder),
                };
                return writable(placement);
            }
            FolderState::File if number == 1 => in_the_way = Some(InTheWay::File(folder)),
            FolderState::Foreign if number == 1 => in_the_way = Some(InTheWay::Files(folder)),
            FolderState::File | FolderState::Foreign | FolderState::Folders => {}
            FolderState::Result(record) => {
                let Some(identity) = identity()? else { continue };
                if let Some(placement) = of_result(&record, &folder, &identity, force) {
                    return writable(placement);
                }
                if record.identity.source == identity.source {
                    of_the_song.get_or_insert(folder);
                }
            }
        }
    }
    let cause = format!("{} has {MAX_NUMBER} folders named {title}", output.display());
    Err(CliError::new(Category::Usage, cause, "Use another folder, with --output."))
}

/// The results in folders up to `depth` below `output`, where a template places them by what is known of a song only once it
/// is decoded.
pub(in crate::cli::separate) fn results_below(output: &Path, depth: usize) -> Vec<WrittenResult> {
    let folders = WalkDir::new(output).min_depth(depth).max_depth(depth).into_iter();
    // What cannot be read has no result that could be found.
    let folders = folders.flatten().filter(|entry| entry.file_type().is_dir());
    let results = folders.filter_map(|entry| {
        let record = ResultRecord::read(entry.path())?;
        Some(WrittenResult { folder: entry.into_path(), record })
    });
    results.collect()
}

/// What takes the name of a result's folder.
enum InTheWay {
    File(PathBuf),
    /// A folder with files that are no result.
    Files(PathBuf),
}

/// What is at the path of a folder.
enum FolderState {
    Missing,
    Empty,
    File,
    Result(Box<ResultRecord>),
    /// Folders only, such as those of songs in a folder of this name.
    Folders,
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
    let mut state = FolderState::Empty;
    for entry in fs::read_dir(folder)? {
        if !entry?.path().is_dir() {
            return Ok(FolderState::Foreign);
        }
        state = FolderState::Folders;
    }
    Ok(state)
}

/// The placement in a folder that has this very result; `None` where it has another one.
fn of_result(
    record: &ResultRecord,
    folder: &Path,
    identity: &ResultIdentity,
    force: bool,
) -> Option<Placement> {
    if record.identity != *identity {
        return None;
    }
    let folder = folder.to_owned();
    match record.check(&folder) {
        _ if force => Some(Placement::Replace(folder)),
        ResultFiles::Whole => {
            let record = record.clone();
            Some(Placement::Exists(Box::new(WrittenResult { folder, record })))
        }
        ResultFiles::Missing => Some(Placement::Replace(folder)),
        ResultFiles::Changed => None,
    }
}

/// Refuses a folder in which no file can be created, or whose disk is full. Creates none.
fn writable(placement: Placement) -> Result<Placement, CliError> {
    if let Placement::Replace(folder) | Placement::New(folder) = &placement {
        let named = folder.ancestors().map(|path| match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        });
        if let Some(existing) = named.into_iter().find(|path| path.is_dir()) {
            tempfile::tempfile_in(existing).map_err(|error| CliError::disk(folder, &error))?;
            check_space(existing, LEAST_BYTES)?;
        }
    }
    Ok(placement)
}

impl From<InTheWay> for CliError {
    fn from(in_the_way: InTheWay) -> CliError {
        match in_the_way {
            InTheWay::File(path) => {
                let path = path.display();
                let cause = format!("{path} is not a folder, and the stems need one of this name");
                let remedy = "Move it away, or use another folder, with --output.";
                CliError::new(Category::Disk, cause, remedy)
            }
            InTheWay::Files(folder) => {
                let cause =
                    format!("{} has files that are not a result of this program", folder.display());
                let remedy = "Use another folder, with --output, or --force to write the stems into this one.";
                CliError::new(Category::Usage, cause, remedy)
            }
        }
    }
}
