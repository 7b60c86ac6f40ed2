//! Unknown SCNet checkpoints, with the configuration beside them.

use std::fs;
use std::path::Path;

use super::ImportRequest;
use super::network::{
    Network, NetworkShape, OTHER_CONFIGURATION, OTHER_WEIGHTS, check_tensors, unfit,
};
use crate::audio::Frames;
use crate::model::card::{Family, StftShape};
use crate::model::checkpoint::configuration::Configuration;
use crate::model::checkpoint::scnet::{ScnetConfiguration, ScnetTopology};
use crate::model::onnx;
use crate::model::registry::{PublishedModel, RegistryError};

/// Remedy for a missing graph.
const MAKE_GRAPH: &str = "Make a graph with models/tools/make_scnet.py --config FILE.yaml and name it with --graph FILE.";

/// The network of the weights in `path` by its configuration.
///
/// # Errors
/// [`RegistryError::Unfit`] with the first difference; `Io`.
pub(super) fn configured(
    request: &ImportRequest<'_>,
    path: &Path,
    config: &Path,
    configuration: &Configuration,
) -> Result<Network, RegistryError> {
    let configuration = ScnetConfiguration::of(configuration)
        .map_err(|reason| unfit(config, reason, OTHER_CONFIGURATION))?;
    let ScnetConfiguration { topology, sample_rate, normalize } = configuration;
    let graph = match request.graph {
        Some(named) => {
            let graph = fs::read(named).map_err(RegistryError::io(named))?;
            let difference = network_of(&graph).map(|network| topology.difference(&network));
            match difference {
                Ok(None) => graph,
                Ok(Some(reason)) | Err(reason) => return Err(unfit(config, reason, MAKE_GRAPH)),
            }
        }
        None => built_in(&topology).map_err(|reason| unfit(config, reason, MAKE_GRAPH))?.to_vec(),
    };
    check_tensors(path, &graph, OTHER_WEIGHTS)?;
    let shape = NetworkShape {
        family: Family::Scnet,
        sample_rate,
        segment: Frames(topology.chunk),
        stft: StftShape { size: topology.nfft, hop: topology.hop_size },
        stems: topology.sources,
        normalize,
    };
    Ok(Network::new(request, shape, graph))
}

/// The built-in graph of a network.
///
/// # Errors
/// How each differs, in words.
fn built_in(topology: &ScnetTopology) -> Result<&'static [u8], String> {
    let mut reasons = Vec::new();
    for published in PublishedModel::all().filter(|other| other.card.family == Family::Scnet) {
        match topology.difference(&network_of(published.graph)?) {
            None => return Ok(published.graph),
            Some(reason) => reasons.push(format!("as {}: {reason}", published.card.name)),
        }
    }
    Err(format!("no built-in graph has its network ({})", reasons.join(", or ")))
}

fn network_of(graph: &[u8]) -> Result<ScnetTopology, String> {
    ScnetTopology::of_graph(&onnx::Graph::parse(graph)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_scnet_is_found_by_its_network() {
        let all = PublishedModel::all().filter(|other| other.card.family == Family::Scnet);
        let graphs: Vec<_> = all.map(|published| published.graph).collect();
        assert_eq!(graphs.len(), 3);
        for graph in &graphs {
            assert!(built_in(&network_of(graph).unwrap()).unwrap() == *graph);
        }
        let mut other = network_of(graphs[0]).unwrap();
        other.chunk = 352_800;
        let reason = built_in(&other).unwrap_err();
        assert!(reason.contains("as scnet: chunk is 352800, not 485100"), "{reason}");
        assert!(reason.contains("as scnet-large: "), "{reason}");
    }
}
