//! Separation in this process, with the pipeline of the server.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::inputs::SongJob;
use super::progress::{ProgressDisplay, SongProgress};
use super::request::{Destination, StemPipe};
use super::results::{
    RequestedModel, ResultEngine, ResultModel, SeparatedSong, SeparatedStem, SourceSummary,
    check_space,
};
use super::scratch::scratch_dir;
use super::source::SongSource;
use super::{Backend, Separator, write_pcm};
use crate::audio::{Encoding, Frames, Hertz};
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
use crate::session::engines::EngineRecord;
use crate::session::retention::Retention;
use crate::session::stem_reader::{StemFormat, StemReader};
use crate::session::{Progress, Session, SessionState, Settings, Store};

/// Bytes of the song that are uploaded at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Frames that are written to a pipe at once.
const PIECE: Frames = Frames(32_768);

/// The time after which the bar is updated when nothing changes.
const UPDATE_INTERVAL: Duration = Duration::from_millis(500);

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
    /// Finds the model that the settings name, or the first of the chain.
    ///
    /// # Errors
    /// There is no such model.
    pub(super) fn open(
        engine: EngineArgs,
        ffmpeg: Option<PathBuf>,
        settings: &Settings,
    ) -> Result<LocalBackend, CliError> {
        let available = setup::available_models(engine.models_dir.as_deref());
        let chain = Chain::of(&[], &available)?;
        let model = match &settings.model {
            Some(model) => available.find(model)?,
            None => chain.first_for(&[])?.model,
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
        let upload = {
            let (separations, session) = (Arc::downgrade(&self.separations), Arc::clone(session));
            let source = song.source.clone();
            std::thread::Builder::new()
                .name("song-read".into())
                .spawn(move || upload(&separations, &session, &source, bytes))
                .map_err(|error| CliError::plain(Category::Other, error.to_string()))?
        };
        let followed = follow(session, destination, self.scratch.path(), display);
        if followed.is_err() || session.state() != SessionState::Done {
            self.separations.cancel(session);
        }
        // A thread that waits for standard input cannot be ended; then the session has failed anyway.
        let uploaded = if song.source.path().is_none() && !upload.is_finished() {
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

/// Uploads the song until it or the session ends. Does not keep the separations open while it waits for the song.
fn upload(
    separations: &Weak<Separations>,
    session: &Arc<Session>,
    source: &SongSource,
    mut song: Box<dyn Read + Send>,
) -> Result<(), CliError> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let read = song.read(&mut buffer);
        let Some(separations) = separations.upgrade() else { return Ok(()) };
        let count = match read {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                separations.cancel(session);
                return Err(source.unreadable(&error));
            }
        };
        if count == 0 {
            // If this is refused, the session has the reason.
            let _ = separations.finish_upload(session, offset, None);
            return Ok(());
        }
        match separations.add_bytes(session, offset, &buffer[..count]) {
            Ok(_) => offset += count as u64,
            // As above.
            Err(_) if session.refusal().is_some() || session.state().is_ended() => return Ok(()),
            Err(error) => {
                separations.cancel(session);
                return Err(error.into());
            }
        }
    }
}

/// Shows the progress of a session and writes to the pipe until the session has ended. Once the length of the song is known,
/// the disk of `scratch` must have space for its stems.
fn follow(
    session: &Arc<Session>,
    destination: &Destination,
    scratch: &Path,
    display: &ProgressDisplay<'_>,
) -> Result<(), CliError> {
    let mut reader = match destination.pipe() {
        None => None,
        Some(pipe) => {
            let format = StemFormat { encoding: destination.transfer_encoding(), gain: 1.0 };
            Some(StemReader::open(session, pipe.stem.as_str(), Frames::ZERO, format)?)
        }
    };
    let mut shown_changes = 0;
    let mut is_space_checked = false;
    loop {
        let seen = session.notifier().version();
        let state = session.state();
        show(session, display);
        let changes = &session.manifest().engine_changes;
        for change in &changes[shown_changes.min(changes.len())..] {
            display.print_engine_change(&change.message, change.frame, rate(session));
        }
        shown_changes = changes.len();
        let Progress { finished, total, .. } = session.progress();
        if let Some(total) = total
            && !state.is_ended()
            && !std::mem::replace(&mut is_space_checked, true)
        {
            let stems = session.manifest().plan.stems.len();
            check_space(scratch, destination.missing_bytes(stems, finished, total))?;
        }
        if let (Some(reader), Some(pipe)) = (&mut reader, destination.pipe()) {
            write_available(reader, pipe, source_channels(session))?;
        }
        if state.is_ended() {
            return Ok(());
        }
        // The user can free space or raise a limit only once the command has ended.
        if let Some(delay) = session.manifest().delay() {
            return Err(delay.clone().into());
        }
        session.notifier().wait_newer(seen, UPDATE_INTERVAL);
    }
}

/// Compares the stems on the disk with the checksums of the frames that were computed: the hashes of a result are those of
/// its files.
fn check_frames(session: &Arc<Session>) -> Result<(), CliError> {
    let format = StemFormat { encoding: Encoding::F32Le, gain: 1.0 };
    for stem in &session.manifest().plan.stems {
        let mut reader = StemReader::open(session, stem.as_str(), Frames::ZERO, format)?;
        while reader.read(PIECE).map_err(|error| reader.error_of(error))?.frames > Frames::ZERO {}
    }
    Ok(())
}

/// Writes the frames that are final to standard output.
fn write_available(
    reader: &mut StemReader,
    pipe: &StemPipe,
    source_channels: u32,
) -> Result<(), CliError> {
    loop {
        let piece = reader.read(PIECE).map_err(|error| {
            CliError::plain(Category::Disk, format!("cannot read a stem: {error}"))
        })?;
        if piece.frames == Frames::ZERO {
            return Ok(());
        }
        write_pcm(&pipe.convert(&piece.bytes, source_channels))?;
    }
}

fn show(session: &Session, display: &ProgressDisplay<'_>) {
    let progress = session.progress();
    let (finished, total, decoded) = (progress.finished, progress.total, progress.decoded);
    let manifest = session.manifest();
    let source = manifest.source.as_ref();
    let expected = source.and_then(|of| Some(of.frames?.resampled(of.rate, of.output_rate)));
    let rate = rate(session);
    display.show(SongProgress { finished, total, expected, decoded, rate, queued: 0 });
}

/// The rate of a session's stems.
fn rate(session: &Session) -> Hertz {
    let manifest = session.manifest();
    manifest.source.as_ref().map_or(manifest.plan.model_rate, |source| source.output_rate)
}

/// The channels of a session's song, which are known before its first stem frame is.
fn source_channels(session: &Session) -> u32 {
    session.manifest().source.as_ref().map_or(2, |source| source.channels)
}

/// The stems of a session that has ended.
fn result(session: &Session, scratch: &Path) -> Result<SeparatedSong, CliError> {
    let manifest = session.manifest();
    if let Some(failure) = &manifest.failure {
        return Err(failure.clone().into());
    }
    if manifest.state() != SessionState::Done {
        return Err(CliError::plain(Category::Other, "the separation was stopped before its end"));
    }
    let stems = manifest.stems.iter().map(|stem| SeparatedStem {
        name: stem.name.clone(),
        file: session.layout().stem(&stem.name),
        peak: stem.peak,
    });
    let changes = &manifest.engine_changes;
    let engines = changes.first().map(|first| &first.from).into_iter();
    let engines = engines.chain(changes.iter().map(|change| &change.to));
    let only = manifest.engine.as_ref().filter(|_| changes.is_empty());
    let engines = engines.chain(only);
    Ok(SeparatedSong {
        stems: stems.collect(),
        rate: rate(session),
        frames: manifest.commit.stems,
        source_channels: source_channels(session),
        source: SourceSummary::of_manifest(&manifest),
        notices: manifest.notices.clone(),
        engines: engines.map(engine).collect(),
        scratch: scratch.to_owned(),
        _files: Box::new(()),
    })
}

fn engine(record: &EngineRecord) -> ResultEngine {
    let (name, weights_sha256) = (record.model.clone(), record.weights.clone());
    ResultEngine {
        model: ResultModel { name, weights_sha256 },
        provider: record.provider.clone(),
        precision: record.precision.clone(),
        runtime: record.runtime.clone(),
    }
}
