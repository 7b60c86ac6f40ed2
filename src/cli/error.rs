//! Errors of the command line: a line of cause, a line of remedy, and an exit code.

use std::process::ExitCode;

use crate::audio::titles::printable;
use crate::encode::EncodeError;
use crate::encode::ni_stems::StemsMissing;
use crate::engine::EngineError;
use crate::engine::runtime::RuntimeError;
use crate::model::ModelError;
use crate::model::registry::RegistryError;
use crate::proto::reason::{Category, ErrorReason};
use crate::separation::SeparationError;
use crate::server::{CredentialError, ServerError};
use crate::session::{Failure, SessionError};
use stemwire_client::ClientError;

/// An error on its way to the user.
#[derive(Debug, Clone)]
pub(super) struct CliError {
    cause: String,
    remedy: String,
    category: Category,
    /// The declared reason, if there is one.
    reason: Option<ErrorReason>,
    /// Whether the reader of standard output has closed it, which is no fault.
    is_reader_gone: bool,
}

impl CliError {
    /// An error with its remedy.
    pub(super) fn new(
        category: Category,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> CliError {
        let (cause, remedy) = (cause.into(), remedy.into());
        CliError { cause, remedy, category, reason: None, is_reader_gone: false }
    }

    /// An error of this machine for which a reason is declared.
    pub(super) fn of_reason(reason: ErrorReason, cause: impl Into<String>) -> CliError {
        local(reason, cause.into(), reason.remedy())
    }

    /// An error with the remedy of its category.
    pub(super) fn plain(category: Category, cause: impl Into<String>) -> CliError {
        CliError::new(category, cause, usual_remedy(category))
    }

    /// A file that cannot be written.
    pub(super) fn disk(path: &std::path::Path, error: &std::io::Error) -> CliError {
        CliError::plain(Category::Disk, format!("cannot write {}: {error}", path.display()))
    }

    /// Standard output that cannot be written.
    pub(super) fn output(error: &std::io::Error) -> CliError {
        let cause = format!("cannot write to standard output: {error}");
        let is_reader_gone = error.kind() == std::io::ErrorKind::BrokenPipe;
        CliError { is_reader_gone, ..CliError::plain(Category::Disk, cause) }
    }

    /// Whether the reader of standard output has closed it, as `head` does once it has enough: a normal end.
    pub(super) fn is_reader_gone(&self) -> bool {
        self.is_reader_gone
    }

    /// Adds the place of the error in front of the cause.
    pub(super) fn at(mut self, place: &str) -> CliError {
        self.cause = format!("{place}: {}", self.cause);
        self
    }

    /// Prints it to standard error.
    pub(super) fn print(&self) {
        let printable = |text: &str| text.lines().map(printable).collect::<Vec<_>>().join("\n");
        eprintln!("error: {}", printable(&self.cause));
        eprintln!("remedy: {}", printable(&self.remedy));
    }

    /// The exit code: the number of the category.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.category as u8)
    }

    /// The cause, as one line.
    pub(super) fn cause(&self) -> &str {
        &self.cause
    }

    /// The remedy, as one imperative sentence.
    pub(super) fn remedy(&self) -> &str {
        &self.remedy
    }

    /// The declared reason, if there is one.
    pub(super) fn reason(&self) -> Option<ErrorReason> {
        self.reason
    }

    /// The category.
    pub(super) fn category(&self) -> Category {
        self.category
    }
}

/// The remedy of errors without a more specific one.
fn usual_remedy(category: Category) -> &'static str {
    match category {
        Category::Other => "See the messages above.",
        Category::Usage => "See `stemwire help` and the --help of the command.",
        Category::Input => "Check that the file plays, or convert it, for example to WAV.",
        Category::Engine => "Run `stemwire doctor`.",
        Category::Server => "See the server log, or try again later.",
        Category::Disk => "Check that the folder can be written and has space.",
    }
}

impl From<StemsMissing> for CliError {
    fn from(error: StemsMissing) -> CliError {
        CliError::of_reason(ErrorReason::StemsIncomplete, error.to_string())
    }
}

impl From<EncodeError> for CliError {
    fn from(error: EncodeError) -> CliError {
        let cause = error.to_string();
        match error {
            EncodeError::FfmpegMissing { .. } => {
                let reason = ErrorReason::EncoderMissing;
                local(reason, cause, error.remedy().unwrap_or(reason.remedy()))
            }
            EncodeError::Unsupported { .. } => CliError::plain(Category::Usage, cause),
            EncodeError::Failed { .. } | EncodeError::Length { .. } => {
                CliError::plain(Category::Other, cause)
            }
            EncodeError::Io(_) => CliError::plain(Category::Disk, cause),
        }
    }
}

impl From<RuntimeError> for CliError {
    fn from(error: RuntimeError) -> CliError {
        CliError::new(Category::Engine, error.to_string(), error.remedy())
    }
}

impl From<RegistryError> for CliError {
    fn from(error: RegistryError) -> CliError {
        let category = match &error {
            RegistryError::Unknown { .. }
            | RegistryError::ImportOnly { .. }
            | RegistryError::Exists { .. }
            | RegistryError::NotInstalled { .. }
            | RegistryError::Embedded { .. }
            | RegistryError::Missing { .. }
            | RegistryError::Unverifiable { .. } => Category::Usage,
            RegistryError::Network { .. }
            | RegistryError::Status { .. }
            | RegistryError::Store { .. } => Category::Server,
            RegistryError::Hash { .. }
            | RegistryError::Damaged { .. }
            | RegistryError::Unfit { .. } => Category::Engine,
            RegistryError::Busy { .. } => Category::Other,
            RegistryError::Io { .. } => Category::Disk,
        };
        CliError::new(category, error.to_string(), error.remedy())
    }
}

impl From<ModelError> for CliError {
    fn from(error: ModelError) -> CliError {
        EngineError::from(error).into()
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> CliError {
        let remedy = match &error {
            EngineError::Model(ModelError::Unknown { .. }) => {
                "See `stemwire models list`, or name a folder with more models with --models-dir."
                    .to_owned()
            }
            other => other.remedy(),
        };
        let reason = error.reason();
        let plain = CliError::new(reason.category(), error.to_string(), remedy);
        CliError { reason: Some(reason), ..plain }
    }
}

impl From<SeparationError> for CliError {
    fn from(error: SeparationError) -> CliError {
        match error {
            SeparationError::Session(SessionError::Failed(failure)) => failure.into(),
            SeparationError::Engine(error) => error.into(),
            other => local(other.reason(), other.to_string(), &other.remedy()),
        }
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> CliError {
        local(failure.reason, failure.message.clone(), failure.remedy())
    }
}

/// An error of a local separation, which has no server and no sessions that could be deleted.
fn local(reason: ErrorReason, cause: String, remedy: &str) -> CliError {
    let remedy = match reason {
        ErrorReason::DiskFull | ErrorReason::StorageFull => "Free space on the disk of the output.",
        ErrorReason::Internal => "Report the bug, with the messages above.",
        ErrorReason::StorageFailed => "Check the disk of the output.",
        ErrorReason::SystemLimit => "Try again later, or raise the limits, such as `ulimit -n`.",
        ErrorReason::ModelUnavailable => "Name another model, or run `stemwire doctor`.",
        ErrorReason::CrashedTooOften | ErrorReason::ProcessKilled => {
            "End other programs to free memory, or use fewer --workers."
        }
        ErrorReason::DecoderSandbox => "Report the bug, with the song if it may be shared.",
        _ => remedy,
    };
    CliError { reason: Some(reason), ..CliError::new(reason.category(), cause, remedy) }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> CliError {
        SeparationError::Session(error).into()
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> CliError {
        let reason = match &error {
            ClientError::Refused(refusal) => ErrorReason::from_name(&refusal.reason),
            _ => None,
        };
        let plain = CliError::new(error.category(), error.to_string(), error.remedy());
        CliError { reason, ..plain }
    }
}

impl From<CredentialError> for CliError {
    fn from(error: CredentialError) -> CliError {
        let category = match &error {
            CredentialError::Tls(_) => Category::Server,
            _ => Category::Usage,
        };
        CliError::new(category, error.to_string(), error.remedy())
    }
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> CliError {
        CliError::new(Category::Server, error.to_string(), error.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_run_has_no_server_and_no_sessions() {
        // The others are of calls and limits, which a local run has none of.
        let of_sessions = [
            ErrorReason::Internal,
            ErrorReason::StorageFailed,
            ErrorReason::DiskFull,
            ErrorReason::StorageFull,
            ErrorReason::SystemLimit,
            ErrorReason::ModelUnavailable,
            ErrorReason::CrashedTooOften,
            ErrorReason::ProcessKilled,
            ErrorReason::DecoderLimit,
            ErrorReason::DecoderCrashed,
            ErrorReason::DecoderSandbox,
            ErrorReason::NothingDecoded,
            ErrorReason::FormatUnknown,
            ErrorReason::CodecUnsupported,
            ErrorReason::NoFallbackForStem,
        ];
        for reason in of_sessions {
            let remedy = CliError::from(Failure::new(reason, "cause")).remedy;
            assert!(
                !["server", "session", "operator"].iter().any(|w| remedy.contains(w)),
                "{remedy}"
            );
        }
    }
}
