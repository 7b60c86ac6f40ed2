//! `stemwire separate`: songs into files, or one stem into a pipe.

mod local;
mod progress;
mod remote;
mod scratch;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use self::local::{Local, Models};
use self::progress::Display;
use self::remote::Remote;
use super::args::Separate;
use super::error::CliError;
use super::export;
use super::runtime::write;
use crate::audio::{Encoding, StemName};
use crate::proto::reason::Category;
use crate::session::Settings;
use crate::session::settings::OnDisconnect;

/// A song and where its stems go.
struct Task {
    song: Song,
    /// The song's name, for people.
    name: String,
    folder: PathBuf,
}

/// Where a song's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Song {
    File(PathBuf),
    StandardInput,
}

/// A stem that goes to standard output as it comes.
struct Pipe {
    stem: StemName,
    encoding: Encoding,
}

/// What will compute, before anything is loaded for it.
enum Source {
    Local(Box<Models>),
    Remote(Box<Remote>),
}

/// What computes.
enum Backend {
    Local(Box<Local>),
    Remote(Box<Remote>),
}

pub(super) fn run(arguments: &Separate) -> Result<(), CliError> {
    let settings = settings(arguments)?;
    let tasks = tasks(arguments)?;
    let encoding = arguments.format.encoding();
    let pipe = pipe(arguments, encoding, tasks.len())?;
    let source = match &arguments.server {
        Some(url) => Source::Remote(Box::new(Remote::new(arguments, url)?)),
        None => Source::Local(Box::new(Models::open(arguments)?)),
    };
    let mut open = Vec::new();
    for task in tasks {
        if pipe.is_none() && is_there(arguments, &task, &settings.stems, &source)? {
            let folder = task.folder.display();
            eprintln!("{}: its stems are in {folder} already; --force makes them anew", task.name);
        } else {
            open.push(task);
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let backend = match source {
        Source::Remote(remote) => Backend::Remote(remote),
        Source::Local(models) => Backend::Local(Box::new(Local::new(arguments, *models)?)),
    };
    let mut failures = Vec::new();
    for task in &open {
        let result = one(&backend, task, &settings, pipe.as_ref(), arguments, encoding);
        if let Backend::Local(local) = &backend {
            // The songs after it need the room.
            local.forget_ended();
        }
        if let Err(error) = result.map_err(|error| error.at(&task.name)) {
            if open.len() > 1 {
                error.print();
            }
            failures.push(error);
        }
    }
    match (failures.len(), open.len()) {
        (0, _) => Ok(()),
        (1, 1) => Err(failures.remove(0)),
        (failed, all) => {
            let first = failures[0].category();
            let all_same = failures.iter().all(|error| error.category() == first);
            let category = if all_same { first } else { Category::Other };
            Err(CliError::plain(category, format!("{failed} of {all} songs were not separated")))
        }
    }
}

/// Separates one song.
fn one(
    backend: &Backend,
    task: &Task,
    settings: &Settings,
    pipe: Option<&Pipe>,
    arguments: &Separate,
    encoding: Encoding,
) -> Result<(), CliError> {
    let settings = Settings { file_name: task.name.clone(), ..settings.clone() };
    let display = Display::new(&task.name);
    let finished = match backend {
        Backend::Local(local) => local.separate(task, settings, pipe, &display),
        Backend::Remote(remote) => remote.separate(task, &settings, pipe, &display),
    };
    let summary = display.finish();
    let finished = finished?;
    for notice in &finished.notices {
        eprintln!("{}: note: {notice}", task.name);
    }
    if pipe.is_some() {
        eprintln!("{}: {summary}", task.name);
        return Ok(());
    }
    export::publish(&finished, &task.folder, encoding, arguments.fit)?;
    let stems: Vec<_> = finished.stems.iter().map(|stem| stem.name.as_str()).collect();
    let folder = task.folder.display();
    write(&format!("{}: {} in {folder} ({summary})\n", task.name, stems.join(", ")))
}

/// What the arguments mean for the separation.
fn settings(arguments: &Separate) -> Result<Settings, CliError> {
    let usage = |error: &dyn std::error::Error| CliError::plain(Category::Usage, error.to_string());
    let mut names = arguments.stems.clone();
    if let Some(stem) = &arguments.two_stems {
        names = vec![stem.clone(), StemName::ACCOMPANIMENT.into()];
    }
    if let Some(stem) = &arguments.stdout {
        names = vec![stem.clone()];
    }
    let mut stems: Vec<StemName> = Vec::new();
    for name in names {
        let stem = name.parse().map_err(|error| usage(&error))?;
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    Ok(Settings {
        model: arguments.model.clone(),
        stems,
        input: arguments.raw,
        rate: arguments.rate,
        normalization: arguments.normalization,
        allow_fallback: !arguments.no_fallback,
        overlap: arguments.overlap,
        mask_extension: arguments.mask_extension,
        accompaniment: arguments.accompaniment,
        // A call that breaks is made again within moments; one that is given up wants nothing more.
        on_disconnect: OnDisconnect::Pause,
        ..Settings::default()
    })
}

/// The songs, each with a folder of its own.
fn tasks(arguments: &Separate) -> Result<Vec<Task>, CliError> {
    let mut tasks: Vec<Task> = Vec::new();
    for path in &arguments.songs {
        let (song, name) = if path.as_os_str() == "-" {
            (Song::StandardInput, "stdin".to_owned())
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            (Song::File(path.clone()), name)
        };
        let stem = Path::new(&name).file_stem().unwrap_or_default().to_owned();
        let folder = arguments.output.join(stem);
        if let Some(other) = tasks.iter().find(|task| task.folder == folder) {
            let cause = format!("{} and {name} would both go to {}", other.name, folder.display());
            return Err(CliError::new(
                Category::Usage,
                cause,
                "separate them into different folders",
            ));
        }
        if let Song::File(path) = &song
            && let Err(error) = File::open(path).and_then(|file| file.metadata()).and_then(|data| {
                if data.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
            })
        {
            let cause = format!("cannot read {}: {error}", path.display());
            return Err(CliError::new(Category::Input, cause, "name an audio file"));
        }
        tasks.push(Task { song, name, folder });
    }
    Ok(tasks)
}

/// The pipe that was asked for.
fn pipe(arguments: &Separate, encoding: Encoding, songs: usize) -> Result<Option<Pipe>, CliError> {
    let Some(name) = &arguments.stdout else { return Ok(None) };
    if songs != 1 {
        let cause = "--stdout takes one song";
        return Err(CliError::new(Category::Usage, cause, "give one, or write files"));
    }
    let stem = name.parse().map_err(|error: crate::audio::stem::BadStemName| {
        CliError::plain(Category::Usage, error.to_string())
    })?;
    Ok(Some(Pipe { stem, encoding }))
}

/// Whether all stems that a song would give are there already.
fn is_there(
    arguments: &Separate,
    task: &Task,
    wanted: &[StemName],
    source: &Source,
) -> Result<bool, CliError> {
    if arguments.force || task.song == Song::StandardInput || !task.folder.is_dir() {
        return Ok(false);
    }
    if !wanted.is_empty() {
        return Ok(export::has_all(&task.folder, wanted));
    }
    let all = match source {
        Source::Local(models) => models.stems(),
        Source::Remote(remote) => remote.stems(arguments.model.as_deref())?,
    };
    Ok(export::has_all(&task.folder, &all))
}

impl Song {
    /// Opens it for one reading from its beginning.
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Song::File(path) => Ok(Box::new(File::open(path)?)),
            Song::StandardInput => Ok(Box::new(io::stdin())),
        }
    }
}

/// Writes raw PCM to standard output. A reader that has gone ends the run without an error message
/// from the system.
fn write_pcm(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| {
        CliError::plain(Category::Disk, format!("standard output takes no more: {error}"))
    })
}
