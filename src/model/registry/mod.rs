//! The model registry: published models ([`catalogue`]), their download ([`pull`]), models that are kept elsewhere by hash
//! ([`stored`]), the [`import`] of the user's files, verification and removal ([`installed`]).
//!
//! The models folder has a folder for each model. The folder of a published model holds its authors' files and nothing
//! else, so that they can be verified against the published hashes. A model that was imported unverified has a card and a
//! graph of its own. A file is written under a name that ends in `.part` and renamed once it is verified, so that a partial
//! file is never taken for a model.

mod catalogue;
mod download;
mod error;
mod fetched;
mod file;
pub mod import;
mod installed;
pub mod pull;
pub mod stored;

pub use catalogue::PublishedModel;
pub use error::{RegistryError, StoreProblem};
pub use installed::{remove, verify};
