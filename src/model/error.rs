//! Errors of models: unknown, not installed, or with files that do not fit together.

use super::Sha256Hash;
use crate::proto::reason::ErrorReason;

/// Error of using a model.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// No model has this name.
    #[error("there is no model {name:?}; the models are {known}")]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names, comma-separated.
        known: String,
    },
    /// The model is published, but not installed.
    #[error("model {model} is not installed")]
    NotInstalled {
        /// The model.
        model: String,
        /// The command that installs it.
        install: String,
    },
    /// A card does not parse or contradicts itself.
    #[error("the model card {card} is not valid: {reason}")]
    Card {
        /// The card's path.
        card: String,
        /// What is wrong in it.
        reason: String,
    },
    /// A model's file cannot be read.
    #[error("cannot read {path} of model {model}: {reason}")]
    File {
        /// The model.
        model: String,
        /// The file.
        path: String,
        /// The system's error.
        reason: String,
        /// Whether the system lacks a resource to read it, such as open files.
        is_shortage: bool,
    },
    /// A model's file has another hash than its card names.
    #[error(
        "{path} of model {model} has SHA-256 {found}, but its card names {expected}: the file is \
         damaged or another one"
    )]
    Hash {
        /// The model.
        model: String,
        /// The file.
        path: String,
        /// The hash in the card.
        expected: Sha256Hash,
        /// The hash of the file.
        found: Sha256Hash,
    },
    /// An ensemble is not one, or its models do not fit together.
    #[error("the ensemble {ensemble:?} is not possible: {reason}")]
    Ensemble {
        /// Its text.
        ensemble: String,
        /// What does not fit.
        reason: String,
    },
    /// A file of weights cannot be parsed, or does not fit the graph.
    #[error("model {model} cannot be loaded: {reason}")]
    Unfit {
        /// The model.
        model: String,
        /// What does not fit.
        reason: String,
    },
}

impl ModelError {
    /// The reason on the wire.
    pub fn reason(&self) -> ErrorReason {
        match self {
            ModelError::Unknown { .. } => ErrorReason::ModelUnknown,
            ModelError::NotInstalled { .. } => ErrorReason::ModelNotInstalled,
            ModelError::Ensemble { .. } => ErrorReason::ConfigInvalid,
            ModelError::Card { .. }
            | ModelError::File { .. }
            | ModelError::Hash { .. }
            | ModelError::Unfit { .. } => ErrorReason::ModelUnavailable,
        }
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            ModelError::NotInstalled { install, .. } => {
                format!("Run `{install}`, or name another model.")
            }
            ModelError::Hash { .. } => "Install the model again.".into(),
            ModelError::Ensemble { .. } => {
                "Name models of one sample rate that yield the stems, such as vocals=A,rest=B."
                    .into()
            }
            other => other.reason().remedy().to_owned(),
        }
    }

    /// The message for readers without a token: without paths and without messages of libraries or the system, which may
    /// contain paths.
    pub fn public_message(&self) -> String {
        match self {
            ModelError::Unknown { .. }
            | ModelError::NotInstalled { .. }
            | ModelError::Ensemble { .. } => self.to_string(),
            ModelError::Card { .. } => "a model card is not valid".into(),
            ModelError::File { model, .. } => format!("a file of model {model} cannot be read"),
            ModelError::Hash { model, .. } => {
                format!("a file of model {model} is damaged or another one")
            }
            ModelError::Unfit { model, .. } => format!("model {model} cannot be loaded"),
        }
    }
}
