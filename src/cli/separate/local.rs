//! Local separation: the pipeline of the server, in this process.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::progress::{Display, Shown, change_text};
use super::scratch::scratch_dir;
use super::{Pipe, Song, Task, write_pcm};
use crate::audio::{Frames, Hertz, StemName};
use crate::cli::args::Separate;
use crate::cli::error::CliError;
use crate::cli::export::{Finished, FinishedStem};
use crate::cli::providers::{self, SelectionLimits};
use crate::cli::setup;
use crate::engine::provider::selection::{SelectedExecution, SelectionOutcome};
use crate::engine::{Chain, Execution};
use crate::files::ScratchDir;
use crate::model::{Catalog, Model};
use crate::proto::reason::Category;
use crate::separation::{Config, DecoderConfig, Limits, Separations};
use crate::session::retention::Retention;
use crate::session::stem_reader::{SampleFormat, StemReader};
use crate::session::{Session, SessionState, Settings, Store};

/// Bytes per chunk of the upload.
const CHUNK_BYTES: usize = 1 << 20;

/// Frames written to a pipe at once.
const FRAMES_AT_ONCE: Frames = Frames(32_768);

/// Longest time between two updates of the progress bar.
const REFRESH: Duration = Duration::from_millis(500);

/// The installed models, and the one that was requested.
pub(super) struct Models {
    catalog: Catalog,
    chain: Chain,
    wanted: Arc<Model>,
}

impl Models {
    pub(super) fn open(arguments: &Separate) -> Result<Models, CliError> {
        let catalog = setup::catalog(arguments.engine.models_dir.as_deref());
        let chain = Chain::of(&[], &catalog)?;
        let wanted = match &arguments.model {
            Some(model) => catalog.find(model)?,
            None => chain.first_for(&[])?.model,
        };
        Ok(Models { catalog, chain, wanted })
    }

    /// The stems of the requested model.
    pub(super) fn stems(&self) -> Vec<StemName> {
        self.wanted.card().stems.clone()
    }
}

/// Engines, and a scratch folder for sessions.
pub(super) struct Local {
    // Dropped in this order: the sessions before their folder.
    separations: Arc<Separations>,
    _scratch: ScratchDir,
}

impl Local {
    pub(super) fn new(arguments: &Separate, models: Models) -> Result<Local, CliError> {
        let Models { catalog, chain, wanted } = models;
        let limits = SelectionLimits::default();
        let SelectionOutcome { providers, .. } =
            providers::select(&arguments.engine, limits, &providers::only(&wanted))?;
        let SelectedExecution { execution, reason, .. } = providers.for_model(&wanted);
        if execution != Execution::BASELINE {
            eprintln!("{} runs on {execution}: {reason}", wanted.card().name);
        }
        let scratch = scratch_dir(arguments)?;
        let disk = |error: std::io::Error| CliError::disk(scratch.path(), &error);
        let store = Store::open(scratch.path()).map_err(disk)?;
        let pool = setup::pool(&arguments.engine, limits.engine, providers)?;
        let decoder = DecoderConfig::from_here().map_err(disk)?;
        let config = Config { catalog, chain, decoder, limits: no_limits() };
        let separations = Separations::open(store, pool, config).map_err(disk)?;
        Ok(Local { separations: Arc::new(separations), _scratch: scratch })
    }

    /// Deletes ended sessions.
    pub(super) fn forget_ended(&self) {
        for session in self.separations.store().all() {
            if session.state().is_ended()
                && let Err(error) = self.separations.delete(&session)
            {
                // It is removed with the scratch folder.
                tracing::debug!(%error, "cannot delete an ended session");
            }
        }
    }

    /// Separates one song. Its stems stay in the scratch folder until [`Local::forget_ended`].
    pub(super) fn separate(
        &self,
        task: &Task,
        settings: Settings,
        pipe: Option<&Pipe>,
        display: &Display,
    ) -> Result<Finished, CliError> {
        let (session, _) = self.separations.create(settings)?;
        let song = task.song.open().map_err(|error| unreadable(&task.song, &error))?;
        let feeder = {
            let (separations, session) = (Arc::downgrade(&self.separations), Arc::clone(&session));
            std::thread::Builder::new()
                .name("song-read".into())
                .spawn(move || feed(&separations, &session, song))
                .map_err(|error| CliError::plain(Category::Other, error.to_string()))?
        };
        let followed = follow(&session, pipe, display);
        if followed.is_err() || session.state() != SessionState::Done {
            self.separations.cancel(&session);
        }
        // A read from an idle pipe cannot be interrupted, so this does not wait for the feeder then.
        let fed = if task.song == Song::StandardInput && !feeder.is_finished() {
            Ok(())
        } else {
            feeder.join().unwrap_or(Ok(()))
        };
        followed?;
        fed.map_err(|error| unreadable(&task.song, &error))?;
        finished(&session)
    }
}

/// No limits: the machine belongs to the user.
fn no_limits() -> Limits {
    const NEVER: Duration = Duration::from_secs(u32::MAX as u64);
    Limits {
        upload_bytes: u64::MAX,
        track: NEVER,
        open_sessions: 1,
        queued_sessions: 1,
        idle_upload: NEVER,
        resume_window: NEVER,
        retention: Retention { age: NEVER, bytes: u64::MAX },
        free_bytes: 0,
    }
}

/// Uploads the song until it or the session ends. Does not keep the separations open while it waits for the song.
fn feed(
    separations: &Weak<Separations>,
    session: &Arc<Session>,
    mut song: Box<dyn Read + Send>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let read = song.read(&mut buffer);
        let Some(separations) = separations.upgrade() else { return Ok(()) };
        let count = match read {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                separations.cancel(session);
                return Err(error);
            }
        };
        if count == 0 {
            // If this is refused, the session fails with the reason.
            let _ = separations.finish_upload(session, offset, None);
            return Ok(());
        }
        match separations.add_bytes(session, offset, &buffer[..count]) {
            Ok(_) => offset += count as u64,
            // As above.
            Err(_) => return Ok(()),
        }
    }
}

/// Shows the progress and writes to the pipe until the session has ended.
fn follow(session: &Arc<Session>, pipe: Option<&Pipe>, display: &Display) -> Result<(), CliError> {
    let mut reader = match pipe {
        None => None,
        Some(pipe) => {
            let form = SampleFormat { encoding: pipe.encoding, gain: 1.0 };
            Some(StemReader::open(session, pipe.stem.as_str(), Frames::ZERO, form)?)
        }
    };
    let mut shown_changes = 0;
    loop {
        let seen = session.notifier().version();
        let state = session.state();
        show(session, display);
        let changes = &session.manifest().engine_changes;
        for change in &changes[shown_changes.min(changes.len())..] {
            display.say(&change_text(&change.message, change.frame, rate(session)));
        }
        shown_changes = changes.len();
        if let Some(reader) = &mut reader {
            loop {
                let block = reader.read(FRAMES_AT_ONCE).map_err(|error| {
                    CliError::plain(Category::Disk, format!("a stem cannot be read: {error}"))
                })?;
                if block.frames == Frames::ZERO {
                    break;
                }
                write_pcm(&block.bytes)?;
            }
        }
        if state.is_ended() {
            return Ok(());
        }
        session.notifier().wait_newer(seen, REFRESH);
    }
}

fn show(session: &Session, display: &Display) {
    let progress = session.progress();
    let (finished, total, decoded) = (progress.finished, progress.total, progress.decoded);
    display.show(Shown { finished, total, decoded, rate: rate(session), queued: 0 });
}

/// Sample rate of a session's stems.
fn rate(session: &Session) -> Hertz {
    let manifest = session.manifest();
    manifest.source.as_ref().map_or(manifest.plan.model_rate, |source| source.output_rate)
}

/// The stems of an ended session, or why there are none.
fn finished(session: &Session) -> Result<Finished, CliError> {
    let manifest = session.manifest();
    if let Some(failure) = &manifest.failure {
        return Err(failure.clone().into());
    }
    if manifest.state() != SessionState::Done {
        return Err(CliError::plain(Category::Other, "the separation was ended before its time"));
    }
    let file = |name| -> PathBuf { session.layout().stem(name) };
    let stems = manifest.stems.iter().map(|stem| FinishedStem {
        name: stem.name.clone(),
        file: file(&stem.name),
        peak: stem.peak,
    });
    Ok(Finished {
        _scratch: None,
        stems: stems.collect(),
        rate: rate(session),
        frames: manifest.commit.stems,
        notices: manifest.notices.clone(),
    })
}

fn unreadable(song: &Song, error: &std::io::Error) -> CliError {
    let name = match song {
        Song::File(path) => path.display().to_string(),
        Song::StandardInput => "standard input".into(),
    };
    CliError::plain(Category::Input, format!("cannot read {name}: {error}"))
}
