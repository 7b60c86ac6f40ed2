//! `stemwire separate`: separates songs into files, or one stem of a song into a pipe.

mod args;
mod choices;
mod inputs;
mod local;
mod progress;
mod received;
mod remote;
mod report;
mod request;
mod results;
mod scratch;
mod sessions;
mod source;
mod time;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::error::CliError;
use crate::audio::StemName;
use crate::audio::titles::printable;
use crate::proto::reason::Category;
use crate::session::Settings;
use crate::session::name_template::NameValues;

pub(super) use args::SeparateArgs;
use inputs::{FailedInput, Inputs, SongJob};
use local::LocalBackend;
use progress::ProgressDisplay;
use remote::RemoteBackend;
use report::{Report, RunCounts};
pub(super) use request::encoding_ffmpeg;
use request::{BackendConfig, Destination, SeparateRequest};
pub(super) use results::FinishedResult;
use results::{
    Placement, RequestedModel, ResultIdentity, ResultSource, SeparatedSong, SourceSummary,
    WrittenResult, place, results_below, write_result,
};
pub(super) use scratch::scratch_dir;

/// Separates songs, locally or on a server. Knows its models before it is started.
trait Backend {
    /// The model that will be used; `None` if there is none, which the separation reports, or if it is chosen for each song.
    fn model(&self) -> Result<Option<RequestedModel>, CliError>;

    /// Starts it for so many songs at a time. The files of songs go to a scratch directory in this folder, which is made
    /// last: a run that computes nothing leaves nothing.
    fn start(
        self: Box<Self>,
        scratch_parent: &Path,
        jobs: usize,
    ) -> Result<Box<dyn Separator>, CliError>;
}

/// A started [`Backend`].
trait Separator: Sync {
    /// Separates one song. If the destination is a pipe, the stem is written to it as it is computed.
    fn separate(
        &self,
        song: &SongJob,
        settings: Settings,
        destination: &Destination,
        display: &ProgressDisplay<'_>,
    ) -> Result<SeparatedSong, CliError>;
}

/// Separates the songs, several at a time if that is asked for; one that fails does not stop the others.
pub(super) fn run(args: &SeparateArgs) -> Result<(), CliError> {
    let report = Report::new(args.json);
    let outcome = SeparateRequest::new(args).and_then(|request| separate_all(request, &report));
    match outcome {
        Ok(outcome) => {
            report.finished(outcome.counts());
            outcome.into_result()
        }
        Err(error) => {
            report.failed(None, &error);
            Err(error)
        }
    }
}

/// How the inputs of a run have ended.
#[derive(Default)]
struct Outcome {
    inputs: usize,
    done: usize,
    skipped: usize,
    failed: Vec<FailedInput>,
}

impl Outcome {
    fn counts(&self) -> RunCounts {
        let (done, skipped, failed) = (self.done, self.skipped, self.failed.len());
        RunCounts { songs: self.inputs, done, skipped, failed }
    }

    /// The error of the whole run: that of the only song, or which songs failed.
    fn into_result(mut self) -> Result<(), CliError> {
        /// Names in one message. The errors before it name the others.
        const MAX_NAMES: usize = 10;
        if self.inputs == 1 || self.failed.is_empty() {
            return self.failed.pop().map_or(Ok(()), |only| Err(only.error));
        }
        let first = self.failed[0].error.category();
        let is_same = self.failed.iter().all(|failed| failed.error.category() == first);
        let category = if is_same { first } else { Category::Other };
        let mut names: Vec<_> =
            self.failed.iter().take(MAX_NAMES).map(|failed| failed.input.as_str()).collect();
        if self.failed.len() > MAX_NAMES {
            names.push("…");
        }
        let (failed, inputs, names) = (self.failed.len(), self.inputs, names.join(", "));
        let cause = format!("{failed} of {inputs} songs were not separated: {names}");
        Err(CliError::new(category, cause, "See the errors above."))
    }
}

fn separate_all(request: SeparateRequest, report: &Report) -> Result<Outcome, CliError> {
    let Inputs { songs, failed } = &request.inputs;
    let inputs = songs.len() + failed.len();
    let run = SongSeparation {
        model: None,
        report,
        existing: OnceLock::new(),
        outcome: Mutex::new(Outcome { inputs, ..Outcome::default() }),
        request: &request,
    };
    for FailedInput { input, error } in failed {
        run.fail(input, error.clone());
    }
    if songs.is_empty() {
        return Ok(run.into_outcome());
    }
    let backend: Box<dyn Backend> = match &request.backend {
        BackendConfig::Local { engine, chain, ffmpeg } => {
            let (engine, ffmpeg) = (engine.clone(), ffmpeg.clone());
            Box::new(LocalBackend::open(engine, chain, ffmpeg, &request.settings)?)
        }
        BackendConfig::Remote(server) => {
            Box::new(RemoteBackend::open(server.clone(), &request.settings)?)
        }
    };
    let model = match &request.destination {
        Destination::Files { .. } => backend.model()?,
        Destination::Pipe(_) => None,
    };
    if let Some(model) = &model {
        request.check_stems(&model.stems)?;
    }
    let run = SongSeparation { model, ..run };
    let mut pending = Vec::new();
    for song in songs {
        match run.has_result(song) {
            Ok(true) => {}
            Ok(false) => pending.push(song),
            Err(error) => run.fail(&song.input, error.at(&song.name)),
        }
    }
    if pending.is_empty() {
        scratch::remove_abandoned(&request.scratch_parent);
    } else {
        let separator = backend.start(&request.scratch_parent, request.jobs)?;
        run.separate_pending(&pending, &*separator);
    }
    Ok(run.into_outcome())
}

/// What the songs of a run have in common.
struct SongSeparation<'a> {
    request: &'a SeparateRequest,
    model: Option<RequestedModel>,
    report: &'a Report,
    /// The results below the output folder when the run began, read if a song's folder depends on its tags.
    existing: OnceLock<Vec<WrittenResult>>,
    outcome: Mutex<Outcome>,
}

impl SongSeparation<'_> {
    /// Separates songs, as many at a time as are asked for.
    fn separate_pending(&self, songs: &[&SongJob], separator: &dyn Separator) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(song) = songs.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.separate(song, separator) {
                    Ok(()) => self.outcome().done += 1,
                    Err(error) => self.fail(&song.input, error.at(&song.name)),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.request.jobs.min(songs.len()) {
                // Without more threads, this one separates all.
                let _ = std::thread::Builder::new().name("song".into()).spawn_scoped(scope, work);
            }
            work();
        });
    }

    /// Reports and keeps the error of an input.
    fn fail(&self, input: &str, error: CliError) {
        self.report.failed(Some(input), &error);
        let mut outcome = self.outcome();
        // That of the only input is printed as the error of the command.
        if outcome.inputs > 1 {
            self.report.print(&error);
        }
        outcome.failed.push(FailedInput { input: printable(input), error });
    }

    /// Whether the result of a song exists, which is then reported.
    ///
    /// # Errors
    /// The result would replace other files, or its folder cannot be written.
    fn has_result(&self, song: &SongJob) -> Result<bool, CliError> {
        let Destination::Files { output, name, options } = &self.request.destination else {
            return Ok(false);
        };
        let identity = || match &self.model {
            Some(requested) => self.identity(song, requested),
            None => Ok(None),
        };
        let model = self.model.as_ref().map(|requested| requested.model.name.as_str());
        let values = NameValues { source: &song.title, model, tags: None };
        let found = match self.folder(song, values) {
            Some((parent, title)) => match place(&parent, &title, &identity, options.force)? {
                Placement::Exists(result) => Some(*result),
                Placement::New(_) | Placement::Replace(_) => None,
            },
            None if options.force => None,
            // Its tags, and with them its folder, are known once it is decoded.
            None => {
                let all = || results_below(output, name.depth());
                let all = self.existing.get_or_init(all);
                let identity = identity()?;
                identity.and_then(|of| all.iter().find(|result| result.is_whole(&of)).cloned())
            }
        };
        if let Some(result) = &found {
            self.report.skipped(&song.input, &song.name, result);
            self.outcome().skipped += 1;
        }
        Ok(found.is_some())
    }

    /// The parent and the name of the folder of a song's result; `None` if a value is not known yet.
    fn folder(&self, song: &SongJob, values: NameValues<'_>) -> Option<(PathBuf, String)> {
        let Destination::Files { output, name, .. } = &self.request.destination else {
            return None;
        };
        if name.depth() == 0 {
            return Some((output.join(&song.folder), song.title.clone()));
        }
        name.folder(values).map(|(parent, title)| (output.join(parent), title))
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
        self.report.started(&song.input);
        let display = ProgressDisplay::new(self.report, song);
        let separated = separator.separate(song, settings, &self.request.destination, &display);
        let timing = display.finish();
        let separated = separated?;
        if let Some(source) = &separated.source {
            self.report.note(&format!("{name}: source: {}", source.line()));
        }
        let note = |notice: &String| self.report.note(&format!("{name}: note: {notice}"));
        separated.source.iter().flat_map(SourceSummary::damage).for_each(|text| note(&text));
        let Destination::Files { name: template, options, .. } = &self.request.destination else {
            separated.notices.iter().for_each(note);
            self.report.note(&format!("{name}: {timing}"));
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
        let tags = separated.source.as_ref().map(SourceSummary::tags).cloned().unwrap_or_default();
        let model = Some(identity.model.name.clone());
        let values = NameValues { source: &song.title, model: model.as_deref(), tags: Some(&tags) };
        let file_name = |stem: &StemName| template.file(values, stem).unwrap_or(stem.to_string());
        let (parent, title) = self.folder(song, values).unwrap_or_default();
        let result = write_result(&separated, &parent, &title, identity, options, &file_name)?;
        result.record.notices.iter().for_each(note);
        self.report.done(&song.input, name, &result, &timing)
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_outcome(self) -> Outcome {
        self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes raw PCM to standard output.
fn write_pcm(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| CliError::output(&error))
}
