//! Imports a model from the user's files: [`verified`] against a published model, an [`mdx`], or [`unverified`].

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod given;
mod htdemucs;
mod mdx;
mod network;
mod roformer;
mod scnet;
mod spleeter;
mod unverified;
mod verified;

use std::path::{Path, PathBuf};

use super::pull::DownloadStep;
use super::{PublishedModel, RegistryError};
use crate::audio::StemName;
use crate::model::ModelName;
use crate::model::files::CARD_FILE;

use given::GivenFiles;
pub use mdx::MdxOptions;

/// What to import.
#[derive(Debug, Clone)]
pub struct ImportRequest<'a> {
    /// The name of the imported model.
    pub name: &'a ModelName,
    /// The published model of that name, if there is one.
    pub published: Option<&'a PublishedModel>,
    /// Its files, or folders with them.
    pub paths: &'a [PathBuf],
    /// Whether unverified files are accepted.
    pub allow_unverified: bool,
    /// The configuration beside the checkpoint of an SCNet or a RoFormer, or UVR's list of MDX-Nets.
    pub config: Option<&'a Path>,
    /// The graph, for a network without a built-in graph.
    pub graph: Option<&'a Path>,
    /// Names of the network's stems in its order, in place of those of its configuration; empty to keep these.
    pub stems: &'a [StemName],
    /// Options for MDX-Nets.
    pub mdx: MdxOptions,
}

/// How a model was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportOutcome {
    /// Its files are the published ones.
    Verified,
    /// Its files are unknown, which every result reports.
    Unverified,
}

/// Copies a model's files into `models`. The files of a published model are verified against the published hashes; other
/// files become a model with a card and a graph of its own.
///
/// # Errors
/// [`RegistryError::Exists`], `Hash`, `Missing`, `Unverifiable`, `Unfit`, `Io`.
pub fn import(
    request: &ImportRequest<'_>,
    models: &Path,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<ImportOutcome, RegistryError> {
    let folder = models.join(request.name.as_str());
    let exists =
        || RegistryError::Exists { name: request.name.to_string(), folder: folder.clone() };
    if folder.join(CARD_FILE).exists() {
        return Err(exists());
    }
    if mdx::is_wanted(request) {
        return match folder.exists() {
            true => Err(exists()),
            false => mdx::import(request, models, progress),
        };
    }
    let is_published = request.graph.is_none() && request.stems.is_empty();
    if let Some(published) = request.published.filter(|_| is_published) {
        match verified::import(published, GivenFiles::of(request.paths)?, &folder, progress) {
            Err(RegistryError::Hash { .. } | RegistryError::Missing { .. })
                if request.allow_unverified => {}
            result => return result.map(|()| ImportOutcome::Verified),
        }
    }
    if !request.allow_unverified {
        return Err(RegistryError::Unverifiable { name: request.name.to_string() });
    }
    if folder.exists() {
        return Err(exists());
    }
    unverified::import(request, models, progress)?;
    Ok(ImportOutcome::Unverified)
}
