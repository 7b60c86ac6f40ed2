//! Unknown Spleeter archives: fine-tunes, or replacements of a published one.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::model::card::Family;
use crate::model::checkpoint::{self, tensorflow};
use crate::model::onnx;
use crate::model::registry::{PublishedModel, RegistryError};

/// Remedy for other archives.
const OTHER_ARCHIVE: &str =
    "Give a .tar.gz with a Spleeter checkpoint, in the form its authors publish.";

/// Whether a file is compressed with gzip, as Spleeter archives are.
pub(super) fn is_archive(path: &Path) -> bool {
    let mut magic = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == [0x1f, 0x8b]
}

/// Finds the published model whose graph the archive fits: `wanted`, or the one with the most stems, because it also has
/// the tensors of those with fewer.
///
/// # Errors
/// [`RegistryError::Unfit`] with the first difference; `Io`.
pub(super) fn model_of(
    path: &Path,
    wanted: Option<&PublishedModel>,
) -> Result<PublishedModel, RegistryError> {
    let unfit = |reason: String| RegistryError::Unfit {
        path: path.to_owned(),
        reason,
        remedy: OTHER_ARCHIVE,
    };
    let bytes = fs::read(path).map_err(RegistryError::io(path))?;
    let tensors = tensorflow::read(&bytes).map_err(unfit)?;
    let candidates = match wanted {
        Some(wanted) => vec![wanted.clone()],
        None => most_stems_first(),
    };
    let found = tensors.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
    fitting(&found, candidates).map_err(unfit)
}

fn most_stems_first() -> Vec<PublishedModel> {
    let all = PublishedModel::all().filter(|published| published.card.family == Family::Spleeter);
    let mut all: Vec<PublishedModel> = all.collect();
    all.sort_by_key(|published| Reverse(published.card.stems.len()));
    all
}

/// Finds the first model whose graph the tensors fit. An archive also has tensors that only training needs.
fn fitting(
    found: &onnx::Shapes,
    candidates: Vec<PublishedModel>,
) -> Result<PublishedModel, String> {
    let mut reason = String::new();
    for candidate in candidates {
        let graph = onnx::Graph::parse(candidate.graph)?;
        match checkpoint::check(&graph, found, true) {
            Ok(()) => return Ok(candidate),
            Err(difference) => reason = format!("as {}: {difference}", candidate.card.name),
        }
    }
    Err(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_of_the_model_whose_stems_it_has_weights_for() {
        for name in ["spleeter-2stems", "spleeter-4stems", "spleeter-5stems"] {
            let published = PublishedModel::find(name).unwrap();
            let graph = onnx::Graph::parse(published.graph).unwrap();
            let mut tensors = graph.open_initialisers();
            tensors.insert("beta1_power".to_owned(), vec![]);
            assert_eq!(
                fitting(&tensors, most_stems_first()).unwrap().card.name,
                published.card.name
            );
            tensors.remove("conv2d/kernel");
            let reason = fitting(&tensors, most_stems_first()).unwrap_err();
            assert!(reason.contains("tensor"), "{reason}");
            let reason = fitting(&tensors, vec![published]).unwrap_err();
            assert!(reason.contains(name) && reason.contains("conv2d/kernel"), "{reason}");
        }
    }
}
