//! `stemwire separate`: separates songs into files, or one stem of a song into a pipe.

mod args;
mod choices;
mod local;
mod progress;
mod received;
mod remote;
mod request;
mod results;
mod scratch;
mod sessions;
mod source;

use std::io::{self, Write};
use std::path::Path;

use super::error::CliError;
use super::output::write;
use crate::audio::titles::printable;
use crate::proto::reason::Category;
use crate::session::Settings;

pub(super) use args::SeparateArgs;
use local::LocalBackend;
use progress::ProgressDisplay;
use remote::RemoteBackend;
use request::{BackendConfig, Destination, SeparateRequest, SongJob};
use results::{
    Placement, RequestedModel, ResultIdentity, ResultSource, SeparatedSong, place, write_result,
};

/// Separates songs, locally or on a server. Knows its models before it is started.
trait Backend {
    /// The model that will be used; `None` if there is none, which the separation reports.
    fn model(&self) -> Result<Option<RequestedModel>, CliError>;

    /// Starts it. The files of songs go to a scratch directory in this folder, which is made last: a run that computes
    /// nothing leaves nothing.
    fn start(self: Box<Self>, scratch_parent: &Path) -> Result<Box<dyn Separator>, CliError>;
}

/// A started [`Backend`].
trait Separator {
    /// Separates one song. If the destination is a pipe, the stem is written to it as it is computed.
    fn separate(
        &self,
        song: &SongJob,
        settings: Settings,
        destination: &Destination,
        display: &ProgressDisplay,
    ) -> Result<SeparatedSong, CliError>;
}

/// Separates the songs one after the other; a song that fails does not stop the others.
pub(super) fn run(args: &SeparateArgs) -> Result<(), CliError> {
    let request = SeparateRequest::new(args)?;
    let backend: Box<dyn Backend> = match &request.backend {
        BackendConfig::Local(engine) => {
            Box::new(LocalBackend::open(engine.clone(), &request.settings)?)
        }
        BackendConfig::Remote(server) => {
            Box::new(RemoteBackend::open(server.clone(), &request.settings)?)
        }
    };
    let model = match &request.destination {
        Destination::Files { .. } => backend.model()?,
        Destination::Pipe(_) => None,
    };
    let run = SongSeparation { request: &request, model };
    let mut skipped = 0;
    let mut errors = Vec::new();
    let mut fail = |song: &SongJob, error: CliError| {
        let error = error.at(&song.name);
        if request.songs.len() > 1 {
            error.print();
        }
        errors.push(error);
    };
    let mut pending = Vec::new();
    for song in &request.songs {
        match run.has_result(song) {
            Ok(true) => skipped += 1,
            Ok(false) => pending.push(song),
            Err(error) => fail(song, error),
        }
    }
    if !pending.is_empty() {
        let separator = backend.start(&request.scratch_parent)?;
        for song in pending {
            if let Err(error) = run.separate(song, &*separator) {
                fail(song, error);
            }
        }
    }
    summary(errors, request.songs.len() - skipped)
}

/// What the songs of a run have in common.
struct SongSeparation<'a> {
    request: &'a SeparateRequest,
    model: Option<RequestedModel>,
}

impl SongSeparation<'_> {
    /// Whether the result of a song exists, which is then reported.
    ///
    /// # Errors
    /// The result would replace other files, or its folder cannot be written.
    fn has_result(&self, song: &SongJob) -> Result<bool, CliError> {
        let Destination::Files { output, options } = &self.request.destination else {
            return Ok(false);
        };
        let identity = || match &self.model {
            Some(requested) => self.identity(song, requested),
            None => Ok(None),
        };
        let placement = place(output, &song.title, &identity, options.force)?;
        let Placement::Exists { folder, has_fallback } = placement else { return Ok(false) };
        let (name, folder) = (&song.name, printable(&folder.display().to_string()));
        eprintln!("{name}: skipped, its stems are already in {folder}; use --force");
        if has_fallback {
            eprintln!("{name}: note: another model than the requested one computed a part of them");
        }
        Ok(true)
    }

    /// The identity of a song's result; `None` as long as the song has not been read.
    fn identity(
        &self,
        song: &SongJob,
        RequestedModel { model, stems }: &RequestedModel,
    ) -> Result<Option<ResultIdentity>, CliError> {
        let Some(source) = song.source.fingerprint()? else { return Ok(None) };
        let settings = self.request.result_settings(stems);
        let source = ResultSource { name: song.file_name.clone(), ..source };
        Ok(Some(ResultIdentity { source, model: model.clone(), settings }))
    }

    /// Separates one song and writes its stems to their destination.
    fn separate(&self, song: &SongJob, separator: &dyn Separator) -> Result<(), CliError> {
        let name = &song.name;
        if matches!(self.request.destination, Destination::Files { .. }) {
            // Before the song is sent: a change from now on is found.
            song.source.fingerprint()?;
        }
        let settings =
            Settings { file_name: song.file_name.clone(), ..self.request.settings.clone() };
        let display = ProgressDisplay::new(name);
        let separated = separator.separate(song, settings, &self.request.destination, &display);
        let timing = display.finish();
        let separated = separated?;
        for notice in &separated.notices {
            eprintln!("{name}: note: {notice}");
        }
        let Destination::Files { output, options } = &self.request.destination else {
            eprintln!("{name}: {timing}");
            return Ok(());
        };
        song.source.check_unchanged()?;
        let of_song;
        let requested = match &self.model {
            Some(requested) => requested,
            None => {
                of_song = separated.model();
                &of_song
            }
        };
        let Some(identity) = self.identity(song, requested)? else {
            return Err(CliError::plain(Category::Input, "the song was not read to its end"));
        };
        let folder = write_result(&separated, output, &song.title, identity, *options)?;
        let stems: Vec<_> = separated.stems.iter().map(|stem| stem.name.as_str()).collect();
        let (stems, folder) = (stems.join(", "), printable(&folder.display().to_string()));
        match write(&format!("{name}: {stems} in {folder} ({timing})\n")) {
            // The stems are written all the same, and more songs may follow.
            Err(error) if error.is_reader_gone() => Ok(()),
            written => written,
        }
    }
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
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| CliError::output(&error))
}
