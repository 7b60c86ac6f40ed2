//! Models: what they are ([`card`], [`name`], [`provider`]), where their files are ([`files`]), the models on this
//! machine ([`catalog`]), and published ones ([`registry`]).
//!
//! [`onnx`] reads graphs and [`checkpoint`] the authors' weight files, without running either.

pub mod card;
pub mod catalog;
pub(crate) mod checkpoint;
mod embedded;
mod error;
pub mod files;
pub mod hash;
pub mod name;
pub(crate) mod onnx;
pub mod provider;
pub mod registry;

pub use card::ModelCard;
pub use catalog::Catalog;
pub use error::ModelError;
pub use files::Model;
pub use hash::Sha256Hash;
pub use name::ModelName;
