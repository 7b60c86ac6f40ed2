//! Fuzz target of the configurations beside RoFormers.

use super::ImportRequest;
use super::mdx::MdxOptions;
use super::network::{GRAPH_FILE, Network};
use super::roformer::shape_of;
use super::unverified::as_toml;
use crate::audio::{StemName, Stereo};
use crate::model::card::WeightsFile;
use crate::model::checkpoint::configuration::Configuration;
use crate::model::onnx::Graph;
use crate::model::roformer::{RoformerTopology, build_graph, is_roformer};
use crate::model::{ModelCard, ModelName, Sha256Hash};

/// Makes the graph and the card of any configuration that is accepted, as its import does.
pub(crate) fn roformer(bytes: &[u8]) {
    let Ok(configuration) = Configuration::parse(&String::from_utf8_lossy(bytes)) else { return };
    let Ok(topology) = RoformerTopology::of(&configuration) else { return };
    assert!(is_roformer(&configuration), "its import takes it for another network");
    let file = build_graph(&topology);
    assert!(file.len() < 64 << 20);
    let graph = Graph::parse(&file).expect("the graph can be read");
    let (stems, columns) = (topology.stems.len(), topology.chunk / topology.stft.hop + 1);
    let spectrum = [2 * Stereo::CHANNELS, topology.stft.size / 2 + 1, columns];
    let with = |first: &[usize]| {
        Some(first.iter().chain(&spectrum).map(|&size| size as i64).collect::<Vec<_>>())
    };
    assert_eq!(graph.port("mix_spectrogram"), with(&[1]));
    assert_eq!(graph.port("stem_spectrograms"), with(&[1, stems]));

    let name: ModelName = "fuzzed".parse().expect("a name");
    let request = ImportRequest {
        name: &name,
        published: None,
        paths: &[],
        allow_unverified: true,
        config: None,
        graph: None,
        stems: &[],
        mdx: MdxOptions::default(),
    };
    let Network { card, graph } = Network::new(&request, shape_of(topology), file);
    // The user can give other names than those of the configuration.
    let named = |stem: usize| format!("stem_{stem}").parse::<StemName>().expect("a name");
    let sha256 = Sha256Hash::of(&graph);
    let weights = vec![WeightsFile { file: GRAPH_FILE.to_owned(), sha256, stem: None }];
    let card = ModelCard { stems: (0..stems).map(named).collect(), weights, ..card };
    assert_eq!(
        as_toml(&card).map(drop),
        Ok(()),
        "the card of a model that was imported can be read"
    );
}
