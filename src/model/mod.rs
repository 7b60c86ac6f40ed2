//! Models: what they are ([`card`], [`name`], [`provider`]), where their files are ([`files`]), the models on this
//! machine ([`available`]), published ones ([`registry`], [`known_mdx`]), which is best for the wanted stems
//! ([`ranking`]), which to use ([`choice`]), and several as one ([`ensemble_spec`]).
//!
//! [`onnx`] reads and writes graphs and [`checkpoint`] reads the authors' weight files, without running either. [`roformer`]
//! makes the graphs of a family whose networks differ from model to model.

pub mod available;
pub mod card;
pub(crate) mod checkpoint;
pub mod choice;
mod embedded;
pub mod ensemble_spec;
mod error;
pub mod files;
pub mod hash;
pub(crate) mod known_mdx;
pub mod name;
pub(crate) mod onnx;
pub mod provider;
pub mod ranking;
pub mod registry;
pub(crate) mod roformer;

pub use available::AvailableModels;
pub use card::ModelCard;
pub use error::ModelError;
pub use files::Model;
pub use hash::Sha256Hash;
pub use name::ModelName;
