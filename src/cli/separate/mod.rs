//! `stemwire separate`: separates songs into files, or one stem of a song into a pipe.

mod args;
mod choices;
mod export;
mod local;
mod progress;
mod received;
mod remote;
mod request;
mod scratch;

use std::io::{self, Write};
use std::path::Path;

use super::error::CliError;
use super::output::write;
use crate::audio::StemName;
use crate::proto::reason::Category;
use crate::session::Settings;

pub(super) use args::SeparateArgs;
use export::SeparatedSong;
use local::LocalBackend;
use progress::ProgressDisplay;
use remote::RemoteBackend;
use request::{BackendConfig, Destination, SeparateRequest, SongJob, SongSource, StemPipe};

/// Separates songs, locally or on a server. Has the list of models before it is started.
trait Backend {
    /// The stems of the model that will be used; empty if unknown.
    fn model_stems(&self) -> Result<Vec<StemName>, CliError>;

    /// Starts it. The files of songs go to a scratch directory in this folder, which is made last: a run that computes
    /// nothing leaves nothing.
    fn start(self: Box<Self>, scratch_parent: &Path) -> Result<Box<dyn Separator>, CliError>;
}

/// A started [`Backend`].
trait Separator {
    /// Separates one song. With a pipe, the stem is written to standard output as it is computed.
    fn separate(
        &self,
        song: &SongJob,
        settings: Settings,
        pipe: Option<&StemPipe>,
        display: &ProgressDisplay,
    ) -> Result<SeparatedSong, CliError>;
}

/// Separates the songs one after the other; a song that fails does not stop the others.
pub(super) fn run(args: &SeparateArgs) -> Result<(), CliError> {
    let SeparateRequest { songs, settings, destination, backend, scratch_parent } =
        SeparateRequest::new(args)?;
    let backend: Box<dyn Backend> = match backend {
        BackendConfig::Local(engine) => Box::new(LocalBackend::open(engine, &settings)?),
        BackendConfig::Remote(server) => Box::new(RemoteBackend::open(server, &settings)?),
    };
    let mut jobs = Vec::new();
    for song in songs {
        if has_results(&song, &settings, &destination, &*backend)? {
            let folder = song.folder.display();
            eprintln!("{}: skipped, its stems are already in {folder}; use --force", song.name);
        } else {
            jobs.push(song);
        }
    }
    if jobs.is_empty() {
        return Ok(());
    }
    let separator = backend.start(&scratch_parent)?;
    let mut errors = Vec::new();
    for song in &jobs {
        let result = separate(&*separator, song, &settings, &destination);
        if let Err(error) = result.map_err(|error| error.at(&song.name)) {
            if jobs.len() > 1 {
                error.print();
            }
            errors.push(error);
        }
    }
    summary(errors, jobs.len())
}

/// Separates one song and writes its stems to their destination.
fn separate(
    separator: &dyn Separator,
    song: &SongJob,
    settings: &Settings,
    destination: &Destination,
) -> Result<(), CliError> {
    let settings = Settings { file_name: song.name.clone(), ..settings.clone() };
    let display = ProgressDisplay::new(&song.name);
    let separated = separator.separate(song, settings, destination.pipe(), &display);
    let timing = display.finish();
    let separated = separated?;
    for notice in &separated.notices {
        eprintln!("{}: note: {notice}", song.name);
    }
    match destination {
        Destination::Pipe(_) => eprintln!("{}: {timing}", song.name),
        Destination::Files { encoding, fit, .. } => {
            export::write_files(&separated, &song.folder, *encoding, *fit)?;
            let stems: Vec<_> = separated.stems.iter().map(|stem| stem.name.as_str()).collect();
            let (stems, folder) = (stems.join(", "), song.folder.display());
            write(&format!("{}: {stems} in {folder} ({timing})\n", song.name))?;
        }
    }
    Ok(())
}

/// Whether all stems that a song would yield exist, and none are to be computed again.
fn has_results(
    song: &SongJob,
    settings: &Settings,
    destination: &Destination,
    backend: &dyn Backend,
) -> Result<bool, CliError> {
    let Destination::Files { force: false, .. } = destination else { return Ok(false) };
    if song.source == SongSource::StandardInput || !song.folder.is_dir() {
        return Ok(false);
    }
    if settings.stems.is_empty() {
        return Ok(export::has_all(&song.folder, &backend.model_stems()?));
    }
    Ok(export::has_all(&song.folder, &settings.stems))
}

/// The error of the whole run: that of the only song, or how many songs failed.
fn summary(mut errors: Vec<CliError>, songs: usize) -> Result<(), CliError> {
    match (errors.len(), songs) {
        (0, _) => Ok(()),
        (1, 1) => Err(errors.remove(0)),
        (failed, songs) => {
            let first = errors[0].category();
            let is_same = errors.iter().all(|error| error.category() == first);
            let category = if is_same { first } else { Category::Other };
            let cause = format!("{failed} of {songs} songs were not separated");
            Err(CliError::plain(category, cause))
        }
    }
}

/// Writes raw PCM to standard output.
fn write_pcm(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| {
        CliError::plain(Category::Disk, format!("cannot write to standard output: {error}"))
    })
}
