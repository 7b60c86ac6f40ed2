//! Separation in this process, with the pipeline of the server.

mod session;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use session::{check_frames, follow, result, upload};

use super::inputs::SongJob;
use super::progress::ProgressDisplay;
use super::request::Destination;
use super::results::{RequestedModel, ResultModel, SeparatedSong};
use super::scratch::scratch_dir;
use super::{Backend, Separator};
use crate::cli::engine_args::EngineArgs;
use crate::cli::error::CliError;
use crate::cli::providers::{self, SelectionLimits};
use crate::cli::setup;
use crate::engine::provider::selection::{SelectedExecution, SelectionOutcome};
use crate::engine::{Chain, Execution};
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
}

impl LocalBackend {
    /// Finds the model that the settings name, or the first of the chain that yields their stems.
    ///
    /// # Errors
    /// There is no such model, or it does not yield the stems.
    pub(super) fn open(
        engine: EngineArgs,
        ffmpeg: Option<PathBuf>,
        settings: &Settings,
    ) -> Result<LocalBackend, CliError> {
        let available = setup::available_models(engine.models_dir.as_deref());
        let chain = Chain::of(&[], &available)?;
        let model = match &settings.model {
            Some(name) => {
                let named = available.find(name)?;
                chain.named(named, &settings.stems, settings.allow_fallback)?.model
            }
            None => chain.first_for(&settings.stems)?.model,
        };
        Ok(LocalBackend { engine, ffmpeg, available, chain, model })
    }
}

impl Backend for LocalBackend {
    fn model(&self) -> Result<Option<RequestedModel>, CliError> {
        let card = self.model.card();
        let (name, weights_sha256) = (card.name.to_string(), card.weights_hash().to_string());
        let model = ResultModel { name, weights_sha256 };
        Ok(Some(RequestedModel { model, stems: card.stems.clone() }))
    }

    fn start(
        self: Box<Self>,
        scratch_parent: &Path,
        jobs: usize,
    ) -> Result<Box<dyn Separator>, CliError> {
        let LocalBackend { engine, ffmpeg, available, chain, model } = *self;
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
        Ok(Box::new(LocalSeparator { separations, scratch }))
    }
}

/// No limits but the number of songs at a time: the machine belongs to the user.
fn no_limits(jobs: usize) -> Limits {
    const NEVER: Duration = Duration::from_secs(u32::MAX as u64);
    Limits {
        upload_bytes: u64::MAX,
        track: NEVER,
        expansion: u64::MAX,
        open_sessions: jobs,
        queued_sessions: jobs,
        client_sessions: 2 * jobs,
        parked_sessions: jobs,
        upload_bytes_per_s: 0,
        idle_upload: NEVER,
        resume_window: NEVER,
        retention: Retention { age: NEVER, bytes: u64::MAX },
        free_bytes: 0,
    }
}

/// Engines, and the scratch directory for sessions.
struct LocalSeparator {
    // Dropped in this order: the sessions before their directory.
    separations: Arc<Separations>,
    scratch: ScratchDir,
}

impl Separator for LocalSeparator {
    fn separate(
        &self,
        song: &SongJob,
        settings: Settings,
        destination: &Destination,
        display: &ProgressDisplay<'_>,
    ) -> Result<SeparatedSong, CliError> {
        let (session, _) = self.separations.create(settings)?;
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
        let followed = follow(session, destination, self.scratch.path(), display);
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
        Ok(SeparatedSong { _files: Box::new(files), ..result })
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
