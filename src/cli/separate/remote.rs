//! Separating on a server; the stems come back while the song is still being sent.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::progress::{Display, Shown, change_text};
use super::scratch::scratch_dir;
use super::{Pipe, Song, Task, write_pcm};
use crate::audio::wav::{GrowingWav, frame_bytes};
use crate::audio::{Encoding, Frames, Hertz, StemName};
use crate::cli::args::Separate;
use crate::cli::error::CliError;
use crate::cli::export::{Finished, FinishedStem};
use crate::cli::setup;
use crate::client::{self, ClientError, Request, Server, Sink};
use crate::files::ScratchDir;
use crate::proto;
use crate::proto::reason::Category;
use crate::session::Settings;

/// A server and a folder for what comes from it.
pub(super) struct Remote {
    server: Server,
    scratch: ScratchDir,
    runtime: tokio::runtime::Runtime,
}

impl Remote {
    pub(super) fn new(arguments: &Separate, url: &str) -> Result<Remote, CliError> {
        let authority = match &arguments.tls_ca {
            None => None,
            Some(path) => Some(setup::pem(path, "CERTIFICATE")?),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| {
                CliError::plain(Category::Other, format!("the system gives no threads: {error}"))
            })?;
        Ok(Remote {
            server: Server { url: url.to_owned(), token: arguments.token.clone(), authority },
            scratch: scratch_dir(arguments)?,
            runtime,
        })
    }

    /// Separates one song; its stems stay in the scratch folder.
    pub(super) fn separate(
        &self,
        task: &Task,
        settings: &Settings,
        pipe: Option<&Pipe>,
        display: &Display,
    ) -> Result<Finished, CliError> {
        let song: Box<dyn client::Song> = match &task.song {
            Song::File(path) => Box::new(std::fs::File::open(path).map_err(|error| {
                CliError::plain(Category::Input, format!("cannot read {}: {error}", path.display()))
            })?),
            Song::StandardInput => Box::new(Unseekable(io::stdin())),
        };
        let request = Request {
            config: config(settings, pipe),
            song: Some(song),
            seekable: matches!(task.song, Song::File(_)),
        };
        let folder = tempfile::tempdir_in(self.scratch.path())
            .map_err(|error| CliError::disk(self.scratch.path(), &error))?;
        let (stems, rate) = (Vec::new(), Hertz(0));
        let (piped, changes) = (0, Vec::new());
        let mut keeper =
            Keeper { display, pipe, folder: folder.path(), stems, rate, piped, changes };
        let done = self.runtime.block_on(client::separate(&self.server, request, &mut keeper))?;
        let finished = keeper.end(&done)?;
        Ok(Finished { _scratch: Some(folder), ..finished })
    }

    /// The stems of a model that the server has, or of the one that it takes by itself.
    pub(super) fn stems(&self, model: Option<&str>) -> Result<Vec<StemName>, CliError> {
        let models = self.runtime.block_on(client::models(&self.server))?;
        let found = match model {
            Some(name) => models.into_iter().find(|model| model.name == name),
            None => models.into_iter().next(),
        };
        // A model that the server lacks is told of when it is asked for a separation.
        let names = found.map(|model| model.stems).unwrap_or_default();
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

fn config(settings: &Settings, pipe: Option<&Pipe>) -> proto::SeparationConfig {
    // Files are converted from floats here, in the same way as those of a local run; a pipe takes what comes.
    let encoding = pipe.map_or(Encoding::F32Le, |pipe| pipe.encoding);
    let request_id = Some(uuid::Uuid::new_v4());
    let settings = Settings { encoding, gain: 1.0, request_id, ..settings.clone() };
    proto::SeparationConfig::from(&settings)
}

/// Keeps what the server sends: in files, or in a pipe.
struct Keeper<'a> {
    display: &'a Display,
    pipe: Option<&'a Pipe>,
    folder: &'a Path,
    /// In the order in which the server sends them.
    stems: Vec<Kept>,
    rate: Hertz,
    /// Frames that went to the pipe.
    piped: u64,
    /// Changes of the engine that were told.
    changes: Vec<(u64, String)>,
}

struct Kept {
    name: StemName,
    wav: GrowingWav,
}

impl Sink for Keeper<'_> {
    fn session(&mut self, session: &proto::Session) -> io::Result<()> {
        self.take_rate(session);
        Ok(())
    }

    fn progress(&mut self, progress: &proto::Progress) {
        let total = Some(Frames(progress.total_frames)).filter(|&total| total > Frames::ZERO);
        self.display.show(Shown {
            finished: Frames(progress.finished_frames),
            total,
            decoded: Frames(progress.decoded_frames),
            rate: if self.rate == Hertz(0) { Hertz(44_100) } else { self.rate },
            queued: progress.queue_position,
        });
    }

    fn stem(&mut self, chunk: &proto::StemChunk) -> io::Result<()> {
        if let Some(pipe) = self.pipe {
            write_pcm(&chunk.pcm).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            self.piped += chunk.pcm.len() as u64 / frame_bytes(pipe.encoding);
            return Ok(());
        }
        let kept = self.kept(&chunk.stem)?;
        let frames = kept.wav.frames().0;
        if chunk.start_frame > frames {
            let text = format!("the server left out frames of {}", chunk.stem);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        // After a broken connection frames may come again that this stem has and another lacks.
        let again = (frames - chunk.start_frame) * frame_bytes(Encoding::F32Le);
        let new = chunk.pcm.get(again as usize..).unwrap_or_default();
        kept.wav.append_encoded(new)
    }

    fn engine_change(&mut self, change: &proto::EngineChange) {
        // A broken connection that is made again may tell of one once more.
        let known = (change.frame, change.message.clone());
        if !self.changes.contains(&known) {
            let rate = if self.rate == Hertz(0) { Hertz(44_100) } else { self.rate };
            self.display.say(&change_text(&change.message, Frames(change.frame), rate));
            self.changes.push(known);
        }
    }

    fn reconnecting(&mut self, error: &ClientError, pause: Duration) {
        let seconds = pause.as_secs_f32().ceil();
        let cause = match error {
            ClientError::Refused { reason, .. } if !reason.is_empty() => error.to_string(),
            _ => format!("the connection broke ({error})"),
        };
        self.display.say(&format!("{cause}: trying again in {seconds} s"));
    }

    fn frames(&self) -> u64 {
        let least = self.stems.iter().map(|kept| kept.wav.frames().0).min();
        if self.pipe.is_some() { self.piped } else { least.unwrap_or(0) }
    }
}

impl Keeper<'_> {
    fn take_rate(&mut self, session: &proto::Session) {
        if let Some(source) = &session.source {
            self.rate = Hertz(source.output_sample_rate);
        }
    }

    /// The file of a stem.
    fn kept(&mut self, name: &str) -> io::Result<&mut Kept> {
        let index = match self.stems.iter().position(|kept| kept.name.as_str() == name) {
            Some(index) => index,
            None => {
                let name: StemName = name
                    .parse()
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                let path = self.folder.join(format!("{name}.wav"));
                // The rate is set at the end, when it is known for certain.
                let wav = GrowingWav::create(&path, Encoding::F32Le, Hertz(44_100))?;
                self.stems.push(Kept { name, wav });
                self.stems.len() - 1
            }
        };
        Ok(&mut self.stems[index])
    }

    /// Finishes the files.
    fn end(mut self, done: &proto::Session) -> Result<Finished, CliError> {
        self.take_rate(done);
        let frames = done.progress.unwrap_or_default().finished_frames;
        let mut stems = Vec::new();
        for mut kept in self.stems {
            if kept.wav.frames().0 != frames {
                let cause = format!("the server sent {} of {frames} frames", kept.wav.frames());
                return Err(CliError::plain(Category::Server, cause));
            }
            let file = self.folder.join(format!("{}.wav", kept.name));
            kept.wav.set_rate(self.rate);
            kept.wav.finish().map_err(|error| CliError::disk(&file, &error))?;
            let told = done.stems.iter().find(|stem| stem.name == kept.name.as_str());
            let peak = told.map_or(0.0, |stem| stem.peak);
            stems.push(FinishedStem { name: kept.name, file, peak });
        }
        let notices = done.notices.clone();
        Ok(Finished { stems, rate: self.rate, frames: Frames(frames), notices, _scratch: None })
    }
}

/// A stream that only goes on.
struct Unseekable<R>(R);

impl<R: io::Read> io::Read for Unseekable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R> io::Seek for Unseekable<R> {
    fn seek(&mut self, _: io::SeekFrom) -> io::Result<u64> {
        Err(io::ErrorKind::NotSeekable.into())
    }
}
