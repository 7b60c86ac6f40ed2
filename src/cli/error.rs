//! Errors as people see them: a line of cause, a line of remedy, and an exit code.

use std::process::ExitCode;

use crate::client::ClientError;
use crate::engine::EngineError;
use crate::engine::runtime::RuntimeError;
use crate::model::registry::RegistryError;
use crate::separation::SeparationError;
use crate::server::ServerError;
use crate::session::failure::SessionError;
use crate::session::{Failure, Reason};

/// An error on its way to the user.
#[derive(Debug)]
pub(super) struct CliError {
    cause: String,
    remedy: String,
    kind: Kind,
}

/// What kind of error it is; its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something else, or several songs for different reasons.
    Other = 1,
    /// What was typed makes no sense.
    Usage = 2,
    /// The song cannot be read or decoded.
    Input = 3,
    /// ONNX Runtime or the model cannot be used.
    Engine = 4,
    /// The server cannot be reached, or refuses.
    Server = 5,
    /// A file cannot be written, or the disk is full.
    Disk = 6,
}

impl CliError {
    /// An error with its remedy.
    pub(super) fn new(kind: Kind, cause: impl Into<String>, remedy: impl Into<String>) -> CliError {
        CliError { cause: cause.into(), remedy: remedy.into(), kind }
    }

    /// An error whose text says its remedy after the last semicolon; without one, its kind does.
    pub(super) fn plain(kind: Kind, text: impl Into<String>) -> CliError {
        let text = text.into();
        match text.rsplit_once("; ") {
            Some((cause, remedy)) => CliError::new(kind, cause, remedy),
            None => CliError::new(kind, text, kind.remedy()),
        }
    }

    /// A file that cannot be written.
    pub(super) fn disk(path: &std::path::Path, error: &std::io::Error) -> CliError {
        let cause = format!("cannot write {}: {error}", path.display());
        CliError::new(Kind::Disk, cause, "see that the folder may be written and has room")
    }

    /// Says where it happened.
    pub(super) fn at(mut self, place: &str) -> CliError {
        self.cause = format!("{place}: {}", self.cause);
        self
    }

    /// Prints it to standard error.
    pub(super) fn print(&self) {
        eprintln!("error: {}", self.cause);
        eprintln!("remedy: {}", self.remedy);
    }

    /// What the process ends with.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }

    /// The kind.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

impl Kind {
    /// What helps where nothing more is known.
    fn remedy(self) -> &'static str {
        match self {
            Kind::Other => "see what stands above",
            Kind::Usage => "see `stemwire help` and the command's own --help",
            Kind::Input => "see that the file plays elsewhere, or convert it, for example to WAV",
            Kind::Engine => "see `stemwire doctor`",
            Kind::Server => "see the server's log, or try again later",
            Kind::Disk => "see that the folder may be written and has room",
        }
    }
}

impl From<RuntimeError> for CliError {
    fn from(error: RuntimeError) -> CliError {
        CliError::new(Kind::Engine, error.to_string(), error.remedy())
    }
}

impl From<RegistryError> for CliError {
    fn from(error: RegistryError) -> CliError {
        let kind = match &error {
            RegistryError::Unknown { .. }
            | RegistryError::Exists { .. }
            | RegistryError::NotInstalled { .. }
            | RegistryError::Embedded { .. }
            | RegistryError::Missing { .. }
            | RegistryError::Unverifiable { .. } => Kind::Usage,
            RegistryError::Network { .. } | RegistryError::Status { .. } => Kind::Server,
            RegistryError::Hash { .. }
            | RegistryError::Damaged { .. }
            | RegistryError::Unfit { .. } => Kind::Engine,
            RegistryError::Busy { .. } => Kind::Other,
            RegistryError::Io { .. } => Kind::Disk,
        };
        CliError::new(kind, error.to_string(), error.remedy())
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> CliError {
        let (kind, remedy) = match &error {
            EngineError::UnknownModel { .. } => {
                (Kind::Usage, "see `stemwire models list`; --models-dir names a folder with more")
            }
            EngineError::NotInstalled { .. } => {
                return CliError::plain(Kind::Engine, error.to_string());
            }
            EngineError::NoModelForStems { .. } => {
                (Kind::Usage, "ask for stems that the model has, or name another model")
            }
            // It says its own.
            EngineError::NoneWorks { .. } => {
                return CliError::plain(Kind::Engine, error.to_string());
            }
            _ => (Kind::Engine, "see `stemwire doctor`"),
        };
        CliError::new(kind, error.to_string(), remedy)
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> CliError {
        let kind = match failure.reason {
            Reason::DiskFull | Reason::StorageFailed => Kind::Disk,
            Reason::ModelUnavailable | Reason::EngineFailed | Reason::NoFallbackForStem => {
                Kind::Engine
            }
            Reason::ResumeWindowEnded | Reason::CrashedTooOften | Reason::Internal => Kind::Other,
            Reason::UploadEmpty
            | Reason::UploadHashMismatch
            | Reason::UploadTooLarge
            | Reason::FormatUnknown
            | Reason::CodecUnsupported
            | Reason::SampleRateUnsupported
            | Reason::ChannelsUnsupported
            | Reason::PcmLengthOdd
            | Reason::NothingDecoded
            | Reason::DecoderCrashed
            | Reason::DecoderLimit
            | Reason::TrackTooLong => Kind::Input,
        };
        CliError::plain(kind, failure.message)
    }
}

impl From<SeparationError> for CliError {
    fn from(error: SeparationError) -> CliError {
        match error {
            SeparationError::Session(SessionError::Failed(failure)) => failure.into(),
            SeparationError::Engine(error) => error.into(),
            SeparationError::Overlap(_) => CliError::plain(Kind::Usage, error.to_string()),
            SeparationError::DiskFull { .. } | SeparationError::StorageFull { .. } => {
                CliError::new(Kind::Disk, error.to_string(), "make room on the disk of the output")
            }
            other => CliError::plain(Kind::Other, other.to_string()),
        }
    }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> CliError {
        SeparationError::Session(error).into()
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> CliError {
        match &error {
            ClientError::Url { .. } => {
                CliError::new(Kind::Usage, error.to_string(), "write it as http://HOST:PORT")
            }
            ClientError::Connect { url, .. } => {
                let remedy = if url.starts_with("https://") {
                    "see that the server speaks TLS there, and name the authority of its certificate \
                     with --tls-ca where the system does not know it"
                        .to_owned()
                } else {
                    format!(
                        "start it with `stemwire serve`, or see that {url} is right: https:// where \
                         it speaks TLS"
                    )
                };
                CliError::new(Kind::Server, error.to_string(), remedy)
            }
            ClientError::Refused { reason, .. } => {
                let input =
                    ["UPLOAD_", "FORMAT_", "CODEC_", "SAMPLE_", "CHANNELS_", "PCM_", "NOTHING_"];
                let is_input = input.iter().any(|prefix| reason.starts_with(prefix))
                    || reason.starts_with("DECODER_")
                    || reason == "TRACK_TOO_LONG";
                let kind = match reason.as_str() {
                    "MODEL_UNKNOWN" | "MODEL_NOT_INSTALLED" | "STEM_UNKNOWN" | "CONFIG_INVALID" => {
                        Kind::Usage
                    }
                    _ if is_input => Kind::Input,
                    _ => Kind::Server,
                };
                CliError::plain(kind, error.to_string())
            }
            ClientError::Nonsense(_) => CliError::new(
                Kind::Server,
                error.to_string(),
                "see that both sides are of one version",
            ),
            ClientError::Io(_) => CliError::plain(Kind::Disk, error.to_string()),
        }
    }
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> CliError {
        let remedy = match &error {
            ServerError::Listen { .. } => "take another address with --listen, or end who has it",
            ServerError::Tls(_) => "give a certificate chain and its own key, both as PEM",
            ServerError::Transport(_) | ServerError::Reflection(_) => "see the log above",
        };
        CliError::new(Kind::Server, error.to_string(), remedy)
    }
}
