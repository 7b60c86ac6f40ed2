//! Unknown HTDemucs files: fine-tunes, or replacements of a published one.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::ImportRequest;
use super::network::{Network, NetworkShape, OTHER_PYTORCH_FILE, unfit};
use crate::audio::Frames;
use crate::model::card::Family;
use crate::model::checkpoint::WeightsFormat;
use crate::model::checkpoint::htdemucs::{HtdemucsMetadata, NetworkArguments};
use crate::model::checkpoint::pytorch::PytorchFile;
use crate::model::embedded::mini;
use crate::model::onnx;
use crate::model::registry::{PublishedModel, RegistryError};

/// Remedy for a missing graph.
const MAKE_GRAPH: &str =
    "Make a graph with models/tools/make_graph.py and name it with --graph FILE.";

/// Remedy for missing or other weights.
pub(super) const OTHER_FILE: &str = "Give a file of HTDemucs with the arguments of its network, as its authors publish them: \
     safetensors with metadata, or the .th of Demucs.";

/// Remedy for a PyTorch file that holds tensors alone.
const NO_ARGUMENTS: &str = "Give the configuration of an SCNet or a RoFormer with --config FILE.yaml, or the .th of an HTDemucs \
     as Demucs saves it.";

/// The network of the weights in `first` and, of a bag, `others`.
///
/// # Errors
/// [`RegistryError::Unfit`] with the first difference; `Io`.
pub(super) fn network_of(
    request: &ImportRequest<'_>,
    first: &Path,
    others: &[PathBuf],
) -> Result<Network, RegistryError> {
    let checkpoint = metadata(first)?;
    let graph = graph_for(first, &checkpoint, request.graph, request.published)?;
    for path in others {
        fit(&metadata(path)?, &graph).map_err(|misfit| unfit(path, misfit.reason, OTHER_FILE))?;
    }
    let mix = onnx::Graph::parse(&graph).map(|graph| graph.port("mix").unwrap_or_default());
    let mix = mix.map_err(|reason| unfit(first, reason, MAKE_GRAPH))?;
    let segment = mix.last().and_then(|&frames| u64::try_from(frames).ok()).unwrap_or(0);
    let shape = NetworkShape {
        family: Family::Htdemucs,
        stems: checkpoint.stems,
        sample_rate: checkpoint.sample_rate,
        segment: Frames(segment),
        stft: checkpoint.stft,
        normalize: true,
    };
    Ok(Network::new(request, shape, graph))
}

/// Reads the metadata of an HTDemucs file.
fn metadata(path: &Path) -> Result<HtdemucsMetadata, RegistryError> {
    HtdemucsMetadata::read(path).map_err(|reason| {
        let format = File::open(path).map(|mut file| WeightsFormat::of(&mut file));
        let remedy = match format {
            Ok(Ok(WeightsFormat::Pytorch)) if is_bare(path) => NO_ARGUMENTS,
            Ok(Ok(WeightsFormat::Pytorch) | Err(_)) => OTHER_PYTORCH_FILE,
            _ => OTHER_FILE,
        };
        unfit(path, reason, remedy)
    })
}

/// Whether a PyTorch file is readable, but holds tensors alone.
fn is_bare(path: &Path) -> bool {
    let file = File::open(path).ok().and_then(|file| PytorchFile::open(BufReader::new(file)).ok());
    file.is_some_and(|file| file.package().is_none())
}

/// Finds the graph for the weights in `path`.
fn graph_for(
    path: &Path,
    checkpoint: &HtdemucsMetadata,
    named: Option<&Path>,
    published: Option<&PublishedModel>,
) -> Result<Vec<u8>, RegistryError> {
    let unfit = |reason, remedy| unfit(path, reason, remedy);
    if let Some(named) = named {
        let graph = fs::read(named).map_err(RegistryError::io(named))?;
        return match fit(checkpoint, &graph) {
            Ok(()) => Ok(graph),
            Err(misfit) => Err(unfit(misfit.reason, MAKE_GRAPH)),
        };
    }
    let graphs: Vec<&'static [u8]> = match published {
        Some(published) => vec![published.graph],
        None => {
            let all = PublishedModel::all().filter(|other| other.card.family == Family::Htdemucs);
            all.map(|published| published.graph).chain([mini::GRAPH]).collect()
        }
    };
    let mut reasons: Vec<String> = Vec::new();
    for graph in graphs {
        match fit(checkpoint, graph) {
            Ok(()) => return Ok(graph.to_vec()),
            // The network is the same, so its tensors must be, too.
            Err(misfit) if misfit.same_network => return Err(unfit(misfit.reason, OTHER_FILE)),
            Err(misfit) if reasons.contains(&misfit.reason) => {}
            Err(misfit) => reasons.push(misfit.reason),
        }
    }
    let reason = format!("no built-in graph has its network ({})", reasons.join(", or "));
    Err(unfit(reason, MAKE_GRAPH))
}

/// Why a checkpoint does not fit a graph.
struct Misfit {
    reason: String,
    /// Whether its network is that of the graph.
    same_network: bool,
}

fn fit(checkpoint: &HtdemucsMetadata, graph: &[u8]) -> Result<(), Misfit> {
    let other = |reason: String| Misfit { reason, same_network: false };
    let graph = onnx::Graph::parse(graph).map_err(other)?;
    let kwargs = graph.metadata("kwargs").ok_or("the graph was not made by make_graph.py");
    let arguments =
        kwargs.map_err(String::from).and_then(NetworkArguments::parse).map_err(other)?;
    if let Some(reason) = checkpoint.arguments.difference(&arguments) {
        return Err(other(reason));
    }
    onnx::compare(&graph.open_initialisers(), &checkpoint.tensors)
        .map_err(|reason| Misfit { reason, same_network: true })
}
