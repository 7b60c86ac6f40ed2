//! Imports unknown files as an unverified model: a fine-tune of HTDemucs or Spleeter, or a replacement of a published
//! file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::ImportRequest;
use super::given::{GivenFiles, copy};
use super::spleeter::{is_archive, model_of};
use crate::audio::Frames;
use crate::dsp::segments::Blend;
use crate::files::{ScratchDir, write_synced};
use crate::model::card::{Family, FileReference, WeightsFile};
use crate::model::checkpoint::htdemucs::{HtdemucsMetadata, NetworkArguments};
use crate::model::checkpoint::{self, WeightsFormat};
use crate::model::embedded::MINI_GRAPH;
use crate::model::files::CARD_FILE;
use crate::model::provider::ProviderChoice;
use crate::model::registry::file::publish;
use crate::model::registry::pull::DownloadStep;
use crate::model::registry::{PublishedModel, RegistryError};
use crate::model::{ModelCard, Sha256Hash, onnx};

/// Names of the files of an unverified model.
const GRAPH_FILE: &str = "graph.onnx";

/// Remedy for a missing graph.
const MAKE_GRAPH: &str =
    "Make a graph with models/tools/make_graph.py and name it with --graph FILE.";

/// Remedy for missing or other weights.
const OTHER_FILE: &str = "Give a file of HTDemucs with the arguments of its network, as its authors publish them: \
     safetensors with metadata, or the .th of Demucs.";

/// Remedy for a PyTorch file that is not read.
const OTHER_PYTORCH_FILE: &str = "Load it where it comes from, and save only its tensors and plain values with PyTorch 1.6 or \
     newer, or as safetensors.";

/// Remedy for weights that are not numbers.
const BROKEN_WEIGHTS: &str = "Train the model again, or import an earlier state of it.";

/// Makes a folder with a card of its own from unknown files.
///
/// # Errors
/// [`RegistryError::Unfit`], `Io`.
pub(super) fn import(
    request: &ImportRequest<'_>,
    models: &Path,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<(), RegistryError> {
    let published = request.published;
    let is_spleeter = |published: &PublishedModel| published.card.family == Family::Spleeter;
    let given = GivenFiles::of(request.paths)?;
    let files = in_order(&given, published);
    let Some(first) = files.first() else {
        let path = request.paths.first().cloned().unwrap_or_default();
        let reason = "expected one file, or the files of a published bag with their names".into();
        return Err(RegistryError::Unfit { path, reason, remedy: OTHER_FILE });
    };
    let unfit = |path: &Path, reason, remedy| RegistryError::Unfit {
        path: path.to_owned(),
        reason,
        remedy,
    };
    let spleeter = match published {
        Some(published) if is_spleeter(published) => Some(model_of(first, Some(published))?),
        None if is_archive(first) => Some(model_of(first, None)?),
        _ => None,
    };
    let graph = match &spleeter {
        Some(spleeter) => spleeter.graph.to_vec(),
        None => graph_for(first, request.graph, published)?,
    };
    let base = spleeter.as_ref().or(published);
    for path in &files[1..] {
        fit(&metadata(path)?, &graph).map_err(|misfit| unfit(path, misfit.reason, OTHER_FILE))?;
    }
    for path in &files {
        let opened = File::open(path).map_err(RegistryError::io(path))?;
        checkpoint::check_values(opened).map_err(|reason| unfit(path, reason, BROKEN_WEIGHTS))?;
    }
    let scratch =
        ScratchDir::new(models, request.name.as_str()).map_err(RegistryError::io(models))?;
    let partial = scratch.path().join("model");
    fs::create_dir(&partial).map_err(RegistryError::io(&partial))?;
    let mut weights = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let planned = base.and_then(|base| base.card.weights.get(index));
        let file = planned.map_or(weights_file(path)?, |planned| &planned.file).to_owned();
        progress(DownloadStep::Verifying { file: &file });
        let sha256 = copy(path, &partial.join(&file))?;
        weights.push(WeightsFile { file, sha256, stem: planned.and_then(|p| p.stem.clone()) });
    }
    let card = card(request, spleeter.as_ref(), first, &graph, weights)
        .map_err(|reason| unfit(first, reason, OTHER_FILE))?;
    for (file, bytes) in [(GRAPH_FILE, &graph[..]), (CARD_FILE, card.as_bytes())] {
        let path = partial.join(file);
        write_synced(&path, bytes).map_err(RegistryError::io(&path))?;
    }
    publish(&partial, &models.join(request.name.as_str()))
}

/// The given files in the order of the published model, by name; a single file may have any name.
fn in_order(given: &GivenFiles, published: Option<&PublishedModel>) -> Vec<PathBuf> {
    let wanted = published.map_or(1, |published| published.card.weights.len());
    if wanted == 1 && given.files.len() == 1 {
        return given.files.clone();
    }
    let names = published.into_iter().flat_map(|published| &published.card.weights);
    let found: Vec<_> = names.map_while(|weights| given.named(&weights.file).cloned()).collect();
    if found.len() == wanted { found } else { Vec::new() }
}

/// The name of a file of weights that is not published, by its format.
fn weights_file(path: &Path) -> Result<&'static str, RegistryError> {
    let mut file = File::open(path).map_err(RegistryError::io(path))?;
    Ok(match WeightsFormat::of(&mut file) {
        Ok(WeightsFormat::Pytorch) => "weights.th",
        _ => "weights.safetensors",
    })
}

/// Reads the metadata of an HTDemucs file.
fn metadata(path: &Path) -> Result<HtdemucsMetadata, RegistryError> {
    HtdemucsMetadata::read(path).map_err(|reason| {
        let format = File::open(path).map(|mut file| WeightsFormat::of(&mut file));
        let remedy = match format {
            Ok(Ok(WeightsFormat::Pytorch) | Err(_)) => OTHER_PYTORCH_FILE,
            _ => OTHER_FILE,
        };
        RegistryError::Unfit { path: path.to_owned(), reason, remedy }
    })
}

/// Finds the graph for the weights in `path`.
fn graph_for(
    path: &Path,
    named: Option<&Path>,
    published: Option<&PublishedModel>,
) -> Result<Vec<u8>, RegistryError> {
    let unfit = |reason, remedy| RegistryError::Unfit { path: path.to_owned(), reason, remedy };
    let checkpoint = metadata(path)?;
    if let Some(named) = named {
        let graph = fs::read(named).map_err(RegistryError::io(named))?;
        return match fit(&checkpoint, &graph) {
            Ok(()) => Ok(graph),
            Err(misfit) => Err(unfit(misfit.reason, MAKE_GRAPH)),
        };
    }
    let graphs: Vec<&'static [u8]> = match published {
        Some(published) => vec![published.graph],
        None => {
            let all = PublishedModel::all().filter(|other| other.card.family == Family::Htdemucs);
            all.map(|published| published.graph).chain([MINI_GRAPH]).collect()
        }
    };
    let mut reasons: Vec<String> = Vec::new();
    for graph in graphs {
        match fit(&checkpoint, graph) {
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

/// The card of the imported model: derived from that of the published Spleeter model whose graph it fits, or a new one.
fn card(
    request: &ImportRequest<'_>,
    spleeter: Option<&PublishedModel>,
    path: &Path,
    graph: &[u8],
    weights: Vec<WeightsFile>,
) -> Result<String, String> {
    let title = format!("{}, imported unverified", request.name);
    let licence = "not known: imported from a file".to_owned();
    let card = match spleeter {
        Some(spleeter) => {
            let graph = FileReference { file: GRAPH_FILE.into(), ..spleeter.card.graph.clone() };
            let name = request.name.clone();
            ModelCard { name, title, licence, weights, graph, ..spleeter.card.clone() }
        }
        None => {
            let checkpoint = HtdemucsMetadata::read(path)?;
            let shape = onnx::Graph::parse(graph)?.port("mix").unwrap_or_default();
            let segment = shape.last().and_then(|&frames| u64::try_from(frames).ok()).unwrap_or(0);
            ModelCard {
                name: request.name.clone(),
                title,
                family: Family::Htdemucs,
                stems: checkpoint.stems,
                sample_rate: checkpoint.sample_rate,
                segment: Frames(segment),
                overlap: 0.25,
                blend: Blend::Average,
                residual_shares: Vec::new(),
                provider: ProviderChoice::Auto,
                licence,
                stft: Some(checkpoint.stft),
                graph: FileReference { file: GRAPH_FILE.into(), sha256: Sha256Hash::of(graph) },
                weights,
            }
        }
    };
    let text = card.to_toml()?;
    // The card is parsed each time the models are opened, so it must be valid.
    ModelCard::parse(&text, CARD_FILE).map_err(|error| error.to_string())?;
    Ok(text)
}
