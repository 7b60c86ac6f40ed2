//! The stems that a server sends: into files, or one of them into a pipe.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use super::destination::Destination;
use super::progress::{ProgressDisplay, SongProgress};
use super::results::{
    ResultEngine, ResultModel, ResultWindows, SeparatedSong, SeparatedStem, SourceSummary,
    check_space,
};
use super::sessions::OpenSessions;
use crate::audio::wav::{GrowingWav, HEADER_BYTES};
use crate::audio::{Encoding, Frames, Hertz, StemName};
use crate::cli::error::CliError;
use crate::cli::output::write_pcm;
use crate::model::Sha256Hash;
use crate::proto::reason::Category;
use crate::proto::{self, SeparationConfig};
use crate::session::settings::OutputChannels;
use stemwire_client::{Chunk, ClientError, Event};

/// The rate until the server has reported that of the session.
const USUAL_RATE: Hertz = Hertz(44_100);

/// Receives the messages of one call.
pub(super) struct ReceivedStems<'a> {
    display: &'a ProgressDisplay<'a>,
    destination: &'a Destination,
    folder: &'a Path,
    /// In the order in which the server sends them.
    files: Vec<ReceivedStem>,
    rate: Option<Hertz>,
    /// Channels of the song.
    source_channels: u32,
    /// Stems of the session.
    stems: usize,
    /// Length of the stems, once it is known.
    total: Option<Frames>,
    is_space_checked: bool,
    /// The session, once the server has created it.
    session: Option<String>,
    request: &'a SeparationConfig,
    open_sessions: &'a OpenSessions,
}

struct ReceivedStem {
    name: StemName,
    wav: GrowingWav,
}

impl<'a> ReceivedStems<'a> {
    /// Receives into `folder`, or into the pipe.
    pub(super) fn new(
        folder: &'a Path,
        destination: &'a Destination,
        display: &'a ProgressDisplay<'a>,
        request: &'a SeparationConfig,
        open_sessions: &'a OpenSessions,
    ) -> ReceivedStems<'a> {
        ReceivedStems {
            display,
            destination,
            folder,
            files: Vec::new(),
            rate: None,
            source_channels: 2,
            stems: 0,
            total: None,
            is_space_checked: false,
            session: None,
            request,
            open_sessions,
        }
    }

    /// The session, once the server has created it.
    pub(super) fn session_id(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Completes the files. `session` is in its final state.
    ///
    /// # Errors
    /// Frames are missing, the format does not have the rate, or a file cannot be written.
    pub(super) fn finish(mut self, session: &proto::Session) -> Result<SeparatedSong, CliError> {
        self.set_rate(session);
        let rate = self.rate();
        self.destination.check_rate(rate)?;
        let frames = session.progress.unwrap_or_default().finished_frames;
        let mut stems = Vec::new();
        for ReceivedStem { name, mut wav } in self.files {
            if wav.frames().0 != frames {
                let cause = format!("the server sent {} of {frames} frames", wav.frames());
                return Err(CliError::plain(Category::Server, cause));
            }
            let file = self.folder.join(format!("{name}.wav"));
            wav.set_rate(rate);
            wav.finish().map_err(|error| CliError::disk(&file, &error))?;
            let record = session.stems.iter().find(|stem| stem.name == name.as_str());
            let sent = record.map_or(&[][..], |stem| &stem.sha256);
            let stored = samples_sha256(&file).map_err(|error| CliError::disk(&file, &error))?;
            if !sent.is_empty() && sent != stored.0 {
                let cause = format!("the stem {name} is not the one that the server computed");
                return Err(CliError::new(Category::Server, cause, "Separate the song again."));
            }
            let peak = record.map_or(0.0, |stem| stem.peak);
            stems.push(SeparatedStem { name, file, peak });
        }
        let source = session.source.as_ref().map(SourceSummary::of_message);
        let notices = source
            .as_ref()
            .map_or_else(|| session.notices.clone(), |source| source.further(&session.notices));
        let (frames, source_channels) = (Frames(frames), self.source_channels);
        let engines = engines(session);
        let windows = session.windows.as_ref().map(|windows| ResultWindows {
            shape: windows.shape.clone(),
            overlap: windows.overlap,
            segment_frames: windows.segment_frames,
        });
        let scratch = self.folder.to_owned();
        Ok(SeparatedSong {
            stems,
            rate,
            frames,
            source_channels,
            source,
            cover: None,
            notices,
            engines,
            choice: Some(session.model_choice.clone()).filter(|choice| !choice.is_empty()),
            windows,
            scratch,
            _files: Box::new(()),
        })
    }

    fn set_rate(&mut self, session: &proto::Session) {
        if let Some(source) = &session.source {
            self.rate = Some(Hertz(source.output_sample_rate));
            self.source_channels = source.channels;
        }
        self.stems = session.stems.len();
    }

    fn rate(&self) -> Hertz {
        self.rate.unwrap_or(USUAL_RATE)
    }

    /// The file of a stem, created if it is the first chunk.
    fn file(&mut self, name: &str) -> io::Result<&mut ReceivedStem> {
        let index = match self.files.iter().position(|file| file.name.as_str() == name) {
            Some(index) => index,
            None => {
                let name: StemName = name
                    .parse()
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                let path = self.folder.join(format!("{name}.wav"));
                // The rate is set at the end, when it is certain.
                let wav = GrowingWav::create(&path, Encoding::F32Le, USUAL_RATE)?;
                self.files.push(ReceivedStem { name, wav });
                self.files.len() - 1
            }
        };
        Ok(&mut self.files[index])
    }
}

impl ReceivedStems<'_> {
    /// Applies an event; returns the session once it is done.
    ///
    /// # Errors
    /// A chunk cannot be stored.
    pub(super) fn receive(&mut self, event: Event) -> Result<Option<proto::Session>, CliError> {
        match event {
            Event::Calling => self.open_sessions.request(self.request),
            Event::Session(session) => {
                self.open_sessions.name(self.request, &session.session_id);
                // A reconnection names the session again.
                if self.session.is_none() && !session.model_choice.is_empty() {
                    self.display.print(&session.model_choice);
                }
                self.session = Some(session.session_id.clone());
                self.set_rate(&session);
            }
            Event::Progress(progress) => self.show(&progress),
            Event::Chunk(chunk) => self.store(&chunk)?,
            Event::EngineChange(change) => {
                let frame = Frames(change.frame);
                self.display.print_engine_change(&change.message, frame, self.rate());
            }
            Event::Reconnecting { error, pause } => {
                let seconds = pause.as_secs_f32().ceil();
                let cause = match &error {
                    ClientError::Refused(refusal) if !refusal.reason.is_empty() => {
                        error.to_string()
                    }
                    _ => format!("the connection broke ({error})"),
                };
                self.display.print(&format!("{cause}: trying again in {seconds} s"));
            }
            Event::Done(session) => return Ok(Some(session)),
        }
        Ok(None)
    }

    fn show(&mut self, progress: &proto::Progress) {
        let total = Some(Frames(progress.total_frames)).filter(|&total| total > Frames::ZERO);
        self.total = total;
        self.display.show(SongProgress {
            finished: Frames(progress.finished_frames),
            total,
            expected: None,
            decoded: Frames(progress.decoded_frames),
            rate: self.rate(),
            queued: progress.queue_position,
        });
    }

    fn store(&mut self, chunk: &Chunk) -> Result<(), CliError> {
        if let Some(pipe) = self.destination.pipe() {
            let is_mono = self.source_channels == 1 && pipe.channels == OutputChannels::Source;
            if is_mono && chunk.channels != 1 {
                let cause = "the server is older than --channels and sends stereo";
                let remedy = "Update the server, or leave --channels out.";
                return Err(CliError::new(Category::Server, cause, remedy));
            }
            return write_pcm(&chunk.pcm);
        }
        if let Some(total) = self.total
            && !std::mem::replace(&mut self.is_space_checked, true)
        {
            let finished = self.files.iter().map(|file| file.wav.frames()).min();
            let finished = finished.unwrap_or(Frames::ZERO);
            let missing = self.destination.missing_bytes(self.stems, finished, total);
            check_space(self.folder, missing)?;
        }
        let folder = self.folder;
        let stored = self.file(&chunk.stem).and_then(|file| file.wav.append_encoded(&chunk.pcm));
        stored.map_err(|error| CliError::disk(folder, &error))
    }
}

/// The hash of a stem's samples.
fn samples_sha256(wav: &Path) -> io::Result<Sha256Hash> {
    let mut file = File::open(wav)?;
    file.seek(SeekFrom::Start(HEADER_BYTES))?;
    Sha256Hash::of_reader(file)
}

/// The engines of a session, in the order in which they computed.
fn engines(session: &proto::Session) -> Vec<ResultEngine> {
    let changes = &session.engine_changes;
    let engines = match changes.first() {
        Some(first) => {
            first.from.iter().chain(changes.iter().filter_map(|c| c.to.as_ref())).collect()
        }
        None => Vec::from_iter(&session.engine),
    };
    engines.into_iter().map(engine).collect()
}

fn engine(engine: &proto::Engine) -> ResultEngine {
    ResultEngine {
        model: ResultModel {
            name: engine.model.clone(),
            weights_sha256: base16ct::lower::encode_string(&engine.weights_sha256),
        },
        provider: engine.execution_provider.clone(),
        precision: engine.precision.clone(),
        runtime: engine.runtime.clone(),
        members: engine.members.iter().map(member).collect(),
    }
}

fn member(member: &proto::EnsembleMember) -> ResultModel {
    ResultModel {
        name: member.model.clone(),
        weights_sha256: base16ct::lower::encode_string(&member.weights_sha256),
    }
}
