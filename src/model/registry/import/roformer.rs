//! Unknown RoFormer checkpoints, with the configuration beside them.

use std::path::Path;

use super::ImportRequest;
use super::network::{
    Network, NetworkShape, OTHER_CONFIGURATION, OTHER_WEIGHTS, check_tensors, tensors, unfit,
};
use crate::audio::Frames;
use crate::model::card::Family;
use crate::model::checkpoint::configuration::Configuration;
use crate::model::registry::RegistryError;
use crate::model::roformer::{RoformerTopology, build_graph};

/// The network of the weights in `path` by its configuration, with a graph that is made for it.
///
/// # Errors
/// [`RegistryError::Unfit`] with the first difference; `Io`.
pub(super) fn configured(
    request: &ImportRequest<'_>,
    path: &Path,
    config: &Path,
    configuration: &Configuration,
) -> Result<Network, RegistryError> {
    if let Some(named) = request.graph {
        let reason = "the graph of a RoFormer is made of its configuration".to_owned();
        return Err(unfit(named, reason, "Leave out --graph."));
    }
    let mut topology = RoformerTopology::of(configuration)
        .map_err(|reason| unfit(config, reason, OTHER_CONFIGURATION))?;
    topology.fit_masks(&tensors(path)?);
    let graph = build_graph(&topology);
    check_tensors(path, &graph, OTHER_WEIGHTS)?;
    Ok(Network::new(request, shape_of(topology), graph))
}

/// What the card of a network is made of.
pub(super) fn shape_of(topology: RoformerTopology) -> NetworkShape {
    NetworkShape {
        family: Family::Roformer,
        sample_rate: topology.sample_rate,
        segment: Frames::from_len(topology.chunk),
        stft: topology.stft,
        stems: topology.stems,
        normalize: true,
    }
}
