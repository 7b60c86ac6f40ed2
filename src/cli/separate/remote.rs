//! Separation on a server: stems arrive while the song is still being sent.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::backend::{Backend, Separator};
use super::destination::Destination;
use super::inputs::SongJob;
use super::local::{slow_note, takes_long};
use super::progress::ProgressDisplay;
use super::received::ReceivedStems;
use super::results::{RequestedModel, ResultModel, SeparatedSong};
use super::scratch::scratch_dir;
use super::sessions::OpenSessions;
use super::source::SongSource;
use crate::audio::{Cover, Frames, Hertz};
use crate::cli::error::CliError;
use crate::files::ScratchDir;
use crate::proto::reason::Category;
use crate::proto::{self, SeparationConfig};
use crate::session::Settings;
use stemwire_client::{Client, ClientError, Event, Separation, Server, Song};

/// A server, before any song is sent.
pub(super) struct RemoteBackend {
    server: Server,
    /// The model that the settings name.
    model: Option<String>,
    /// Whether the server chooses it for each song.
    is_chosen_there: bool,
    /// The model, if it is slower than real time there.
    slow: OnceLock<SlowModel>,
    runtime: tokio::runtime::Runtime,
}

/// A model that is slower than real time on the server.
struct SlowModel {
    real_time_factor: f64,
    rate: Hertz,
    note: String,
    is_shown: AtomicBool,
}

impl SlowModel {
    fn new(model: &proto::Model) -> Option<SlowModel> {
        let speed = model.speed.as_ref().filter(|speed| speed.slower_than_real_time)?;
        let proto::Speed { real_time_factor, execution, .. } = speed;
        let text = format!("{real_time_factor:.2} × real time there ({execution})");
        Some(SlowModel {
            real_time_factor: *real_time_factor,
            rate: Hertz(model.sample_rate),
            note: slow_note(&model.name, &text),
            is_shown: AtomicBool::new(false),
        })
    }

    /// The note, once, if a song with this progress takes long.
    fn note(&self, progress: &proto::Progress) -> Option<&str> {
        let length = Frames(progress.decoded_frames).duration(self.rate);
        let takes_long = takes_long(length, self.real_time_factor);
        (takes_long && !self.is_shown.swap(true, Ordering::Relaxed)).then_some(&self.note)
    }
}

impl RemoteBackend {
    /// Prepares calls; does not connect.
    ///
    /// # Errors
    /// The system starts no threads.
    pub(super) fn open(server: Server, settings: &Settings) -> Result<RemoteBackend, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| {
                CliError::plain(Category::Other, format!("cannot start threads: {error}"))
            })?;
        let is_chosen_there = settings.quality.is_some();
        let (model, slow) = (settings.model.clone(), OnceLock::new());
        Ok(RemoteBackend { server, model, is_chosen_there, slow, runtime })
    }
}

impl Backend for RemoteBackend {
    fn model(&self) -> Result<Option<RequestedModel>, CliError> {
        if self.is_chosen_there {
            return Ok(None);
        }
        let models = self.runtime.block_on(Client::new(self.server.clone()).models())?;
        let found = match &self.model {
            Some(name) => models.into_iter().find(|model| model.name == *name),
            None => models.into_iter().next(),
        };
        if let Some(slow) = found.as_ref().and_then(SlowModel::new) {
            let _ = self.slow.set(slow);
        }
        Ok(found.map(|model| RequestedModel {
            stems: model.stems.iter().filter_map(|name| name.parse().ok()).collect(),
            model: ResultModel {
                name: model.name,
                weights_sha256: base16ct::lower::encode_string(&model.weights_sha256),
            },
        }))
    }

    fn start(
        self: Box<Self>,
        scratch_parent: &Path,
        _jobs: usize,
    ) -> Result<Box<dyn Separator>, CliError> {
        let RemoteBackend { server, slow, runtime, .. } = *self;
        let sessions = OpenSessions::new(server.clone());
        let of_interrupted = sessions.clone();
        let scratch = scratch_dir(scratch_parent, move || of_interrupted.cancel_interrupted())?;
        Ok(Box::new(RemoteSeparator {
            server,
            slow: slow.into_inner(),
            runtime,
            sessions,
            scratch,
        }))
    }
}

/// A server, and the scratch directory for the stems it sends.
struct RemoteSeparator {
    server: Server,
    slow: Option<SlowModel>,
    runtime: tokio::runtime::Runtime,
    sessions: OpenSessions,
    scratch: ScratchDir,
}

impl Separator for RemoteSeparator {
    fn separate(
        &self,
        song: &SongJob,
        settings: Settings,
        destination: &Destination,
        display: &ProgressDisplay<'_>,
    ) -> Result<SeparatedSong, CliError> {
        let unreadable = |error: io::Error| song.source.unreadable(&error);
        let mut copy = None;
        let bytes = match song.source.path() {
            Some(path) => Song::open(path).map_err(unreadable)?,
            None => {
                // Without a copy to read the cover from, the song is as good.
                copy = self.copy_for(&settings, destination).ok();
                let copy = copy.as_ref().and_then(|copy| copy.try_clone().ok());
                let stream = song.source.open().map_err(unreadable)?;
                let bytes = Song::stream(CopiedStream { stream, copy });
                // The result of standard input is known by its hash, which is that of all its bytes.
                if destination.pipe().is_none() { bytes.read_whole() } else { bytes }
            }
        };
        let client = Client::new(self.server.clone());
        let separation = client.separate(bytes, SeparationConfig::from(&settings));
        let config = separation.config().cloned().unwrap_or_default();
        let folder = tempfile::tempdir_in(self.scratch.path())
            .map_err(|error| CliError::disk(self.scratch.path(), &error))?;
        let mut stems =
            ReceivedStems::new(folder.path(), destination, display, &config, &self.sessions);
        let slowness = |progress: &proto::Progress| {
            if let Some(note) = self.slow.as_ref().and_then(|slow| slow.note(progress)) {
                display.print(note);
            }
        };
        let received = self.runtime.block_on(receive(separation, &mut stems, slowness));
        if received.is_err() {
            self.sessions.wait_if_interrupted();
        }
        match (stems.session_id(), &received) {
            (Some(id), Err(ReceiveError::Local(_))) => {
                self.sessions.cancel(&self.runtime, &config, id);
            }
            _ => self.sessions.remove(&config),
        }
        let session = received.map_err(|error| match error {
            ReceiveError::Call(error) => error.into(),
            ReceiveError::Local(error) => error,
        })?;
        let separated = stems.finish(&session)?;
        let cover = cover(&song.source, copy, destination);
        Ok(SeparatedSong { cover, _files: Box::new(folder), ..separated })
    }
}

/// Why receiving ended.
enum ReceiveError {
    /// The call has failed.
    Call(ClientError),
    /// What was received cannot be used here; the server does not know.
    Local(CliError),
}

/// Receives all events of a separation, its progress also by `progressed`; returns the session in its final state.
async fn receive(
    mut separation: Separation,
    stems: &mut ReceivedStems<'_>,
    progressed: impl Fn(&proto::Progress),
) -> Result<proto::Session, ReceiveError> {
    while let Some(event) = separation.next().await.map_err(ReceiveError::Call)? {
        if let Event::Progress(progress) = &event {
            progressed(progress);
        }
        if let Some(session) = stems.receive(event).map_err(ReceiveError::Local)? {
            return Ok(session);
        }
    }
    let problem = "the call ended without a result".to_owned();
    Err(ReceiveError::Call(ClientError::Protocol(problem)))
}

impl RemoteSeparator {
    /// An unnamed file for what is read of standard input.
    ///
    /// # Errors
    /// It is not needed, or cannot be created.
    fn copy_for(&self, settings: &Settings, destination: &Destination) -> io::Result<File> {
        match settings.input.is_none() && has_tags(destination) {
            true => tempfile::tempfile_in(self.scratch.path()),
            false => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Whether the results are files with tags.
fn has_tags(destination: &Destination) -> bool {
    matches!(destination, Destination::Files { options, .. } if options.tags)
}

/// The cover of the song, which servers do not send. What is wrong with it, the server's notices state. `copy` is that of
/// standard input.
fn cover(song: &SongSource, copy: Option<File>, destination: &Destination) -> Option<Cover> {
    let file = match song.path().filter(|_| has_tags(destination)) {
        Some(path) => File::open(path).ok()?,
        None => copy?,
    };
    let length = file.metadata().ok()?.len();
    Cover::read(file, length).ok()?
}

/// A stream, and where what is read of it is copied to.
struct CopiedStream<R> {
    stream: R,
    copy: Option<File>,
}

impl<R: io::Read> io::Read for CopiedStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if self.copy.as_mut().is_some_and(|copy| copy.write_all(&buffer[..count]).is_err()) {
            self.copy = None;
        }
        Ok(count)
    }
}
