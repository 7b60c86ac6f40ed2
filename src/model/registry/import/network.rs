//! What the weights of an import belong to.

use std::path::Path;

use super::ImportRequest;
use crate::audio::{Frames, Hertz, StemName};
use crate::dsp::segments::Blend;
use crate::model::card::{Family, FileReference, StftShape};
use crate::model::provider::ProviderChoice;
use crate::model::registry::RegistryError;
use crate::model::{ModelCard, Sha256Hash};

/// Name of the graph of an unverified model.
pub(super) const GRAPH_FILE: &str = "graph.onnx";

/// Remedy for a PyTorch file that is not read.
pub(super) const OTHER_PYTORCH_FILE: &str = "Load it where it comes from, and save only its tensors and plain values with \
     PyTorch 1.6 or newer, or as safetensors.";

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
}

impl Network {
    /// A network that is not published.
    pub(super) fn new(request: &ImportRequest<'_>, shape: NetworkShape, graph: Vec<u8>) -> Network {
        let NetworkShape { family, stems, sample_rate, segment, stft } = shape;
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
            provider: ProviderChoice::Auto,
            licence: "not known: imported from a file".to_owned(),
            stft: Some(stft),
            mdx: None,
            graph: FileReference { file: GRAPH_FILE.into(), sha256: Sha256Hash::of(&graph) },
            weights: request.published.map_or(Vec::new(), |model| model.card.weights.clone()),
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
            graph: FileReference { file, ..card.graph.clone() },
            name,
            ..card.clone()
        };
        Network { card, graph: graph.to_vec() }
    }
}

/// The error of a file that does not fit.
pub(super) fn unfit(path: &Path, reason: String, remedy: &'static str) -> RegistryError {
    RegistryError::Unfit { path: path.to_owned(), reason, remedy }
}
