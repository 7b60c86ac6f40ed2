//! Models: what they are ([`card`], [`name`]), where their files are ([`files`]), which there are ([`catalog`]),
//! and those that others publish ([`registry`]).
//!
//! [`onnx`] reads graphs and [`checkpoint`] the authors' weight files, without running either.

pub mod card;
pub mod catalog;
pub(crate) mod checkpoint;
pub mod files;
pub mod hash;
pub mod name;
pub(crate) mod onnx;
pub mod registry;

pub use card::ModelCard;
pub use catalog::Catalog;
pub use files::Model;
pub use hash::Sha256Hash;
pub use name::ModelName;
