//! Separation in this process, with the pipeline of the server.

mod session;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session::{check_frames, follow, result, upload};

use super::backend::{Backend, Separator};
use super::destination::Destination;
use super::inputs::SongJob;
use super::progress::ProgressDisplay;
use super::results::{RequestedModel, ResultModel, SeparatedSong};
use super::scratch::scratch_dir;
use crate::audio::StemName;
use crate::cli::engine_args::EngineArgs;
use crate::cli::error::CliError;
use crate::cli::providers::{self, SelectionLimits};
use crate::cli::setup;
use crate::engine::provider::selection::{SelectedExecution, SelectionOutcome};
use crate::engine::{Chain, Execution, speed};
use crate::files::ScratchDir;
use crate::model::{AvailableModels, Model};
use crate::proto::reason::Category;
use crate::separation::{Config, DecoderConfig, Limits, Separations};
use crate::session::retention::Retention;
use crate::session::{Session, SessionState, Settings, Store};

/// The models, before anything is loaded for them.
pub(super) struct LocalBackend {
    engine: EngineArgs,
    /// FFmpeg, if there is one.
    ffmpeg: Option<PathBuf>,
    available: AvailableModels,
    chain: Chain,
    /// The model that is used.
    model: Arc<Model>,
    /// For which stems and why it was chosen, if the settings ask for speed or quality.
    choice: Option<(Vec<StemName>, String)>,
}

impl LocalBackend {
    /// Finds the model that the settings name, that which they choose, or the first of the chain that yields their stems.
    ///
    /// # Errors
    /// There is no such model, or it does not yield the stems.
    pub(super) fn open(
        engine: EngineArgs,
        chain: &[String],
        ffmpeg: Option<PathBuf>,
        settings: &Settings,
    ) -> Result<LocalBackend, CliError> {
        let available = setup::available_models(engine.models_dir.as_deref());
        let chain = Chain::of(chain, &available)?;
        let (mut choice, stems) = (None, &settings.stems);
        let model = match (&settings.model, settings.quality) {
            (Some(name), _) => {
                chain.named(available.find(name)?, stems, settings.allow_fallback)?.model
            }
            (None, Some(quality)) => {
                let chosen = chain.by_quality(quality, stems, &available, &|model: &Model| {
                    let speed = speed::newest(&setup::speeds_file()?, model.card())?;
                    Some(speed.real_time_factor(model.card(), settings.overlap))
                })?;
                choice = Some((chosen.stems, chosen.reason));
                chosen.choice.model
            }
            (None, None) => chain.first_for(stems)?.model,
        };
        Ok(LocalBackend { engine, ffmpeg, available, chain, model, choice })
    }
}

impl Backend for LocalBackend {
    fn model(&self) -> Result<Option<RequestedModel>, CliError> {
        let card = self.model.card();
        let (name, weights_sha256) = (card.name.to_string(), card.weights_hash().to_string());
        let model = ResultModel { name, weights_sha256 };
        let stems = self.choice.as_ref().map_or(&card.stems, |(stems, _)| stems);
        Ok(Some(RequestedModel { model, stems: stems.clone() }))
    }

    fn start(
        self: Box<Self>,
        scratch_parent: &Path,
        jobs: usize,
    ) -> Result<Box<dyn Separator>, CliError> {
        let LocalBackend { engine, ffmpeg, available, chain, model, choice } = *self;
        if let Some((_, reason)) = &choice {
            eprintln!("{reason}");
        }
        let limits = SelectionLimits::default();
        let SelectionOutcome { providers, .. } =
            providers::select(&engine, limits, &providers::only(&model))?;
        let SelectedExecution { execution, reason, .. } = providers.for_model(&model);
        if execution != Execution::BASELINE {
            eprintln!("{} runs on {execution}: {reason}", model.card().name);
        }
        let scratch = scratch_dir(scratch_parent, || {})?;
        let disk = |error: io::Error| CliError::disk(scratch.path(), &error);
        let store = Store::open(scratch.path()).map_err(disk)?;
        let pool = setup::pool(&engine, limits.engine, providers)?;
        let decoder = DecoderConfig { ffmpeg, ..DecoderConfig::from_here().map_err(disk)? };
        let config = Config { models: available, chain, decoder, limits: no_limits(jobs) };
        let separations = Arc::new(Separations::open(store, pool, config).map_err(disk)?);
        let is_slowness_shown = AtomicBool::new(false);
        Ok(Box::new(LocalSeparator { separations, scratch, model, choice, is_slowness_shown }))
    }
}

/// No limits but the number of songs at a time: the machine belongs to the user.
fn no_limits(jobs: usize) -> Limits {
    const NEVER: Duration = Duration::from_secs(u32::MAX as u64);
    Limits {
        upload_bytes: u64::MAX,
        track: NEVER,
        expansion: u64::MAX,
        slots: jobs,
        queued_sessions: jobs,
        client_sessions: 2 * jobs,
        parked_sessions: jobs,
        // No workers compute.
        backlog: u64::MAX,
        upload_bytes_per_s: 0,
        idle_upload: NEVER,
        resume_window: NEVER,
        retention: Retention { age: NEVER, bytes: u64::MAX },
        cache_bytes: None,
        free_bytes: 0,
    }
}

/// The time that a song takes at least for a note on a model that is slower than real time.
const LONG: Duration = Duration::from_secs(60);

/// Engines, and the scratch directory for sessions.
struct LocalSeparator {
    // Dropped in this order: the sessions before their directory.
    separations: Arc<Separations>,
    scratch: ScratchDir,
    model: Arc<Model>,
    choice: Option<(Vec<StemName>, String)>,
    /// Whether the user knows that the model is slow.
    is_slowness_shown: AtomicBool,
}

impl LocalSeparator {
    /// The settings of a song, with the model that was chosen for all of them.
    fn resolved(&self, settings: Settings) -> Settings {
        let Some((stems, _)) = &self.choice else { return settings };
        let model = Some(self.model.card().name.to_string());
        let stems = if settings.stems.is_empty() { stems.clone() } else { settings.stems };
        Settings { model, quality: None, stems, ..settings }
    }

    /// A note, once, if the model is slower than real time and a song of at least this length takes long.
    fn slowness(&self, overlap: Option<f64>, length: Duration) -> Option<String> {
        let speed = self.separations.pool().speed(&self.model)?;
        let card = self.model.card();
        let takes_long = speed.is_slower_than_real_time(card, overlap)
            && takes_long(length, speed.real_time_factor(card, overlap));
        let is_new = takes_long && !self.is_slowness_shown.swap(true, Ordering::Relaxed);
        is_new.then(|| slow_note(card.name.as_str(), &speed.describe(card, overlap)))
    }
}

/// Whether a song of this length keeps a user waiting, at this factor of real time.
pub(super) fn takes_long(length: Duration, real_time_factor: f64) -> bool {
    length.as_secs_f64() >= LONG.as_secs_f64() * real_time_factor
}

/// The note on a model that is slower than real time.
pub(super) fn slow_note(model: &str, speed: &str) -> String {
    format!("note: {model} computes at {speed}")
}

impl Separator for LocalSeparator {
    fn separate(
        &self,
        song: &SongJob,
        settings: Settings,
        destination: &Destination,
        display: &ProgressDisplay<'_>,
    ) -> Result<SeparatedSong, CliError> {
        let overlap = settings.overlap;
        let (session, _) = self.separations.create(self.resolved(settings))?;
        let files = SessionFiles { separations: Arc::clone(&self.separations), session };
        let session = &files.session;
        let unreadable = |error: io::Error| song.source.unreadable(&error);
        let bytes = song.source.open().map_err(unreadable)?;
        // The result of standard input is known by its hash, which is that of all its bytes.
        let whole = song.source.path().is_none() && destination.pipe().is_none();
        let upload = {
            let (separations, session) = (Arc::downgrade(&self.separations), Arc::clone(session));
            let source = song.source.clone();
            std::thread::Builder::new()
                .name("song-read".into())
                .spawn(move || upload(&separations, &session, &source, bytes, whole))
                .map_err(|error| CliError::plain(Category::Other, error.to_string()))?
        };
        let followed = {
            let slowness = |length| self.slowness(overlap, length);
            follow(session, destination, self.scratch.path(), display, &slowness)
        };
        if followed.is_err() || session.state() != SessionState::Done {
            self.separations.cancel(session);
        }
        // A thread that waits for standard input cannot be ended; then the session has failed anyway.
        let is_needed = whole && session.state() == SessionState::Done;
        let uploaded = if song.source.path().is_none() && !upload.is_finished() && !is_needed {
            Ok(())
        } else {
            upload.join().unwrap_or(Ok(()))
        };
        followed?;
        uploaded?;
        let result = result(session, self.scratch.path())?;
        check_frames(session)?;
        let choice = self.choice.as_ref().map(|(_, reason)| reason.clone());
        Ok(SeparatedSong { choice, _files: Box::new(files), ..result })
    }
}

/// Removes a session when dropped: the songs after it need the space.
struct SessionFiles {
    separations: Arc<Separations>,
    session: Arc<Session>,
}

impl Drop for SessionFiles {
    fn drop(&mut self) {
        if let Err(error) = self.separations.delete(&self.session) {
            // The scratch directory is removed with everything in it.
            tracing::debug!(%error, "the files of a song stay until the end of the run");
        }
    }
}
