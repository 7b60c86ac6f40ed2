//! Separates the songs of a run, several at a time, and writes their stems where they are wanted.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::backend::Separator;
use super::destination::Destination;
use super::inputs::{FailedInput, SongJob};
use super::outcome::Outcome;
use super::progress::ProgressDisplay;
use super::report::Report;
use super::request::SeparateRequest;
use super::results::{
    Placement, RequestedModel, ResultIdentity, ResultSource, SourceSummary, WrittenResult, place,
    results_below, write_result,
};
use crate::audio::StemName;
use crate::audio::titles::printable;
use crate::cli::error::CliError;
use crate::proto::reason::Category;
use crate::session::Settings;
use crate::session::name_template::NameValues;

/// What the songs of a run have in common.
pub(super) struct SongSeparation<'a> {
    request: &'a SeparateRequest,
    /// The model that will be used, if it is known before the songs are.
    pub(super) model: Option<RequestedModel>,
    report: &'a Report,
    /// The results below the output folder when the run began, read if a song's folder depends on its tags.
    existing: OnceLock<Vec<WrittenResult>>,
    outcome: Mutex<Outcome>,
}

impl<'a> SongSeparation<'a> {
    pub(super) fn new(request: &'a SeparateRequest, report: &'a Report) -> SongSeparation<'a> {
        let inputs = request.inputs.songs.len() + request.inputs.failed.len();
        SongSeparation {
            request,
            model: None,
            report,
            existing: OnceLock::new(),
            outcome: Mutex::new(Outcome { inputs, ..Outcome::default() }),
        }
    }

    /// Separates songs, as many at a time as are asked for.
    pub(super) fn separate_pending(&self, songs: &[&SongJob], separator: &dyn Separator) {
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
    pub(super) fn fail(&self, input: &str, error: CliError) {
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
    pub(super) fn has_result(&self, song: &SongJob) -> Result<bool, CliError> {
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

    pub(super) fn into_outcome(self) -> Outcome {
        self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
