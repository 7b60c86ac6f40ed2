//! The request of `stemwire separate`, from its arguments.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::args::SeparateArgs;
use crate::audio::{Encoding, StemName};
use crate::cli::engine_args::EngineArgs;
use crate::cli::error::CliError;
use crate::client::Server;
use crate::proto::reason::Category;
use crate::server::read_pem;
use crate::session::Settings;
use crate::session::settings::OnDisconnect;

/// The checked arguments.
pub(super) struct SeparateRequest {
    pub(super) songs: Vec<SongJob>,
    /// Settings of every song; the file name is that of the song.
    pub(super) settings: Settings,
    pub(super) destination: Destination,
    pub(super) backend: BackendConfig,
    /// The folder in which scratch files are made.
    pub(super) scratch_parent: PathBuf,
}

/// A song and the folder of its stems.
pub(super) struct SongJob {
    pub(super) source: SongSource,
    /// The name that is shown.
    pub(super) name: String,
    pub(super) folder: PathBuf,
}

/// Where a song is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SongSource {
    File(PathBuf),
    StandardInput,
}

/// Where stems are written.
pub(super) enum Destination {
    /// Files in the folder of each song.
    Files {
        encoding: Encoding,
        /// Whether all stems are lowered by one gain if integers would clip.
        fit: bool,
        /// Whether stems are computed again that exist.
        force: bool,
    },
    /// Standard output: one stem of one song, as it is computed.
    Pipe(StemPipe),
}

/// A stem that is written to standard output as raw PCM.
pub(super) struct StemPipe {
    pub(super) stem: StemName,
    pub(super) encoding: Encoding,
}

/// The backend that computes.
pub(super) enum BackendConfig {
    Local(EngineArgs),
    Remote(Server),
}

impl SeparateRequest {
    /// Checks and converts the arguments.
    ///
    /// # Errors
    /// An argument is invalid, or a file that it names cannot be read.
    pub(super) fn new(args: &SeparateArgs) -> Result<SeparateRequest, CliError> {
        let songs = songs(args)?;
        let stems = stems(args)?;
        let encoding = args.format.encoding();
        let destination = match (&args.stdout, &stems[..]) {
            (Some(_), [stem]) => {
                if songs.len() != 1 {
                    let cause = format!("--stdout takes one song, not {}", songs.len());
                    let remedy = "Give one song, or write files.";
                    return Err(CliError::new(Category::Usage, cause, remedy));
                }
                Destination::Pipe(StemPipe { stem: stem.clone(), encoding })
            }
            _ => Destination::Files { encoding, fit: args.fit, force: args.force },
        };
        let scratch_parent = match destination {
            Destination::Files { .. } => args.output.clone(),
            // Without files to write, the output folder must not be created.
            Destination::Pipe(_) => std::env::temp_dir(),
        };
        let settings = Settings {
            model: args.model.clone(),
            stems,
            input: args.raw,
            encoding: destination.transfer_encoding(),
            rate: args.rate,
            normalization: args.normalization,
            allow_fallback: !args.no_fallback,
            overlap: args.overlap,
            mask_extension: args.mask_extension,
            accompaniment: args.accompaniment,
            // After a broken connection the client reconnects within moments; an interrupted run does not need the stems.
            on_disconnect: OnDisconnect::Pause,
            ..Settings::default()
        };
        let backend = match &args.server {
            Some(url) => BackendConfig::Remote(server(url, args)?),
            None => BackendConfig::Local(args.engine.clone()),
        };
        Ok(SeparateRequest { songs, settings, destination, backend, scratch_parent })
    }
}

impl Destination {
    /// The encoding of the stems from the backend: files are converted from float32 in one way, on any backend.
    fn transfer_encoding(&self) -> Encoding {
        match self {
            Destination::Files { .. } => Encoding::F32Le,
            Destination::Pipe(pipe) => pipe.encoding,
        }
    }

    pub(super) fn pipe(&self) -> Option<&StemPipe> {
        match self {
            Destination::Files { .. } => None,
            Destination::Pipe(pipe) => Some(pipe),
        }
    }
}

impl SongSource {
    /// Opens the song for reading from its start.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub(super) fn open(&self) -> io::Result<Box<dyn io::Read + Send>> {
        match self {
            SongSource::File(path) => Ok(Box::new(File::open(path)?)),
            SongSource::StandardInput => Ok(Box::new(io::stdin())),
        }
    }

    /// The error of a song that cannot be read.
    pub(super) fn unreadable(&self, error: &io::Error) -> CliError {
        let name = match self {
            SongSource::File(path) => path.display().to_string(),
            SongSource::StandardInput => "standard input".into(),
        };
        CliError::plain(Category::Input, format!("cannot read {name}: {error}"))
    }
}

/// The songs, each with a folder of its own.
fn songs(args: &SeparateArgs) -> Result<Vec<SongJob>, CliError> {
    let mut songs: Vec<SongJob> = Vec::new();
    for path in &args.songs {
        let (source, name) = if path.as_os_str() == "-" {
            (SongSource::StandardInput, "stdin".to_owned())
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            (SongSource::File(path.clone()), name)
        };
        let stem = Path::new(&name).file_stem().unwrap_or_default().to_owned();
        let folder = args.output.join(stem);
        if let Some(other) = songs.iter().find(|song| song.folder == folder) {
            let folder = folder.display();
            let cause = format!("{} and {name} would both be written to {folder}", other.name);
            let remedy = "Separate them into different folders.";
            return Err(CliError::new(Category::Usage, cause, remedy));
        }
        if let SongSource::File(path) = &source {
            check_readable(path)?;
        }
        songs.push(SongJob { source, name, folder });
    }
    Ok(songs)
}

fn check_readable(path: &Path) -> Result<(), CliError> {
    let opened = File::open(path).and_then(|file| {
        if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
    });
    opened.map_err(|error| {
        let cause = format!("cannot read {}: {error}", path.display());
        CliError::new(Category::Input, cause, "Name an audio file.")
    })
}

/// The stems to compute, each once; empty for all stems of the model.
fn stems(args: &SeparateArgs) -> Result<Vec<StemName>, CliError> {
    let names = match (&args.stdout, &args.two_stems) {
        (Some(stem), _) => vec![stem.clone()],
        (None, Some(stem)) => vec![stem.clone(), StemName::ACCOMPANIMENT.into()],
        (None, None) => args.stems.clone(),
    };
    let mut stems: Vec<StemName> = Vec::new();
    for name in names {
        let stem = name.parse().map_err(|error: crate::audio::stem::BadStemName| {
            CliError::plain(Category::Usage, error.to_string())
        })?;
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    Ok(stems)
}

fn server(url: &str, args: &SeparateArgs) -> Result<Server, CliError> {
    let authority = match &args.tls_ca {
        None => None,
        Some(path) => Some(read_pem(path, "CERTIFICATE")?),
    };
    Ok(Server { url: url.to_owned(), token: args.token.clone(), authority })
}
