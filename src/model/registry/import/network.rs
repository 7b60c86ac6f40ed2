//! What the weights of an import belong to.

use std::fs::File;
use std::path::Path;

use super::ImportRequest;
use crate::audio::{Frames, Hertz, StemName};
use crate::dsp::segments::Blend;
use crate::model::card::{Family, FileReference, StftShape};
use crate::model::checkpoint;
use crate::model::onnx::{self, Graph, Shapes};
use crate::model::provider::ProviderChoice;
use crate::model::registry::RegistryError;
use crate::model::{ModelCard, Sha256Hash};

/// Name of the graph of an unverified model.
pub(super) const GRAPH_FILE: &str = "graph.onnx";

/// Remedy for a PyTorch file that is not read.
pub(super) const OTHER_PYTORCH_FILE: &str = "Load it where it comes from, and save only its tensors and plain values with \
     PyTorch 1.6 or newer, or as safetensors.";

/// Remedy for a configuration that is not read.
pub(super) const OTHER_CONFIGURATION: &str = "Give the configuration that its authors publish beside the checkpoint; if this is \
     it, the network is not supported.";

/// Remedy for weights of another network.
pub(super) const OTHER_WEIGHTS: &str = "Give the checkpoint that belongs to the configuration.";

/// A network: its graph, and its card with the published weights that the imported ones stand for, if there are any.
pub(super) struct Network {
    pub(super) card: ModelCard,
    pub(super) graph: Vec<u8>,
}

/// What determines the card of a network that is not published.
pub(super) struct NetworkShape {
    pub(super) family: Family,
    pub(super) stems: Vec<StemName>,
    pub(super) sample_rate: Hertz,
    pub(super) segment: Frames,
    pub(super) stft: StftShape,
    /// [`ModelCard::normalize`].
    pub(super) normalize: bool,
}

impl Network {
    /// A network that is not published.
    pub(super) fn new(request: &ImportRequest<'_>, shape: NetworkShape, graph: Vec<u8>) -> Network {
        let NetworkShape { family, stems, sample_rate, segment, stft, normalize } = shape;
        let card = ModelCard {
            name: request.name.clone(),
            title: format!("{}, imported unverified", request.name),
            family,
            stems,
            sample_rate,
            segment,
            overlap: 0.25,
            blend: Blend::Average,
            residual_shares: Vec::new(),
            normalize,
            provider: ProviderChoice::Auto,
            licence: "not known: imported from a file".to_owned(),
            commercial_use: None,
            stft: Some(stft),
            mdx: None,
            graph: FileReference { file: GRAPH_FILE.into(), sha256: Sha256Hash::of(&graph) },
            weights: request.published.map_or(Vec::new(), |model| model.card.weights.clone()),
            quality: Vec::new(),
        };
        Network { card, graph }
    }

    /// The network with the graph and the card of a published model.
    pub(super) fn published(
        request: &ImportRequest<'_>,
        card: &ModelCard,
        graph: &[u8],
    ) -> Network {
        let (name, file) = (request.name.clone(), GRAPH_FILE.to_owned());
        let card = ModelCard {
            title: format!("{name}, imported unverified"),
            licence: "not known: imported from a file".to_owned(),
            commercial_use: None,
            quality: Vec::new(),
            graph: FileReference { file, ..card.graph.clone() },
            name,
            ..card.clone()
        };
        Network { card, graph: graph.to_vec() }
    }
}

/// Checks that the tensors of the file `path` are those of a graph.
///
/// # Errors
/// [`RegistryError::Unfit`] with the first difference; `Io`.
pub(super) fn check_tensors(
    path: &Path,
    graph: &[u8],
    remedy: &'static str,
) -> Result<(), RegistryError> {
    let found = tensors(path)?;
    Graph::parse(graph)
        .and_then(|graph| onnx::compare(&graph.open_initialisers(), &found))
        .map_err(|reason| unfit(path, reason, remedy))
}

/// The tensors of the file `path`.
///
/// # Errors
/// [`RegistryError::Unfit`] with the first fault; `Io`.
pub(super) fn tensors(path: &Path) -> Result<Shapes, RegistryError> {
    let file = File::open(path).map_err(RegistryError::io(path))?;
    checkpoint::shapes(file).map_err(|reason| unfit(path, reason, OTHER_PYTORCH_FILE))
}

/// The error of a file that does not fit.
pub(super) fn unfit(path: &Path, reason: String, remedy: &'static str) -> RegistryError {
    RegistryError::Unfit { path: path.to_owned(), reason, remedy }
}
