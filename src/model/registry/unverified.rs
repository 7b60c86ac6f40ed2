//! Files that nothing is known of, made a model: a fine-tune of HTDemucs or Spleeter, or another file in the
//! place of a published one.

use std::fs;
use std::path::{Path, PathBuf};

use super::checkpoint::{Arguments, Checkpoint};
use super::import::{GivenFiles, ImportRequest, copy};
use super::pull::DownloadStep;
use super::spleeter::{is_archive, model_of};
use super::{PublishedModel, RegistryError, publish};
use crate::audio::Frames;
use crate::dsp::segments::Blend;
use crate::engine::ProviderChoice;
use crate::files::{ScratchDir, write_synced};
use crate::model::card::{Family, FileReference, WeightsFile};
use crate::model::catalog::embedded::MINI_GRAPH;
use crate::model::files::CARD_FILE;
use crate::model::{ModelCard, Sha256Hash, onnx};

/// What the files of an unverified model are called.
const GRAPH_FILE: &str = "graph.onnx";
const WEIGHTS_FILE: &str = "weights.safetensors";

/// What helps where a graph is missing.
const MAKE_GRAPH: &str =
    "make a graph of it with models/tools/make_graph.py and name that with --graph FILE";

/// What helps where weights are missing or others.
const OTHER_FILE: &str =
    "give a safetensors file of HTDemucs, with the metadata that its authors' files have";

/// Makes a folder with a card of its own from files that nothing is known of.
///
/// # Errors
/// [`RegistryError::Unfit`], `Io`.
pub(super) fn unverified(
    import: &ImportRequest<'_>,
    models: &Path,
    progress: &mut dyn FnMut(DownloadStep<'_>),
) -> Result<(), RegistryError> {
    let published = import.published;
    let is_spleeter = |published: &PublishedModel| published.card.family == Family::Spleeter;
    let given = GivenFiles::of(import.paths)?;
    let files = in_order(&given, published);
    let Some(first) = files.first() else {
        let path = import.paths.first().cloned().unwrap_or_default();
        let reason = "it takes one file, or the files of a published bag under their names".into();
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
        None => graph_for(first, import.graph, published)?,
    };
    let base = spleeter.as_ref().or(published);
    for path in &files[1..] {
        let checkpoint = Checkpoint::read(path).map_err(|r| unfit(path, r, OTHER_FILE))?;
        fit(&checkpoint, &graph).map_err(|misfit| unfit(path, misfit.reason, OTHER_FILE))?;
    }
    let scratch =
        ScratchDir::new(models, import.name.as_str()).map_err(RegistryError::io(models))?;
    let part = scratch.path().join("model");
    fs::create_dir(&part).map_err(RegistryError::io(&part))?;
    let mut weights = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let planned = base.and_then(|base| base.card.weights.get(index));
        let file = planned.map_or(WEIGHTS_FILE, |planned| &planned.file).to_owned();
        progress(DownloadStep::Verifying { file: &file });
        let sha256 = copy(path, &part.join(&file))?;
        weights.push(WeightsFile { file, sha256, stem: planned.and_then(|p| p.stem.clone()) });
    }
    let card = card(import, spleeter.as_ref(), first, &graph, weights)
        .map_err(|reason| unfit(first, reason, OTHER_FILE))?;
    for (file, bytes) in [(GRAPH_FILE, &graph[..]), (CARD_FILE, card.as_bytes())] {
        let path = part.join(file);
        write_synced(&path, bytes).map_err(RegistryError::io(&path))?;
    }
    publish(&part, &models.join(import.name.as_str()))
}

/// The given files in the order of the published model's, by their names; one file needs no name.
fn in_order(given: &GivenFiles, published: Option<&PublishedModel>) -> Vec<PathBuf> {
    let wanted = published.map_or(1, |published| published.card.weights.len());
    if wanted == 1 && given.files.len() == 1 {
        return given.files.clone();
    }
    let names = published.into_iter().flat_map(|published| &published.card.weights);
    let found: Vec<_> = names.map_while(|weights| given.named(&weights.file).cloned()).collect();
    if found.len() == wanted { found } else { Vec::new() }
}

/// The bytes of the graph that the weights in `path` are for.
fn graph_for(
    path: &Path,
    named: Option<&Path>,
    published: Option<&PublishedModel>,
) -> Result<Vec<u8>, RegistryError> {
    let unfit = |reason, remedy| RegistryError::Unfit { path: path.to_owned(), reason, remedy };
    let checkpoint = Checkpoint::read(path).map_err(|reason| unfit(reason, OTHER_FILE))?;
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
            // It is this network; then its tensors must be, too.
            Err(misfit) if misfit.same_network => return Err(unfit(misfit.reason, OTHER_FILE)),
            Err(misfit) if reasons.contains(&misfit.reason) => {}
            Err(misfit) => reasons.push(misfit.reason),
        }
    }
    let reason = format!("no built-in graph is of its network ({})", reasons.join("; or "));
    Err(unfit(reason, MAKE_GRAPH))
}

/// How a checkpoint does not go with a graph.
struct Misfit {
    reason: String,
    /// Its arguments are those of the graph.
    same_network: bool,
}

fn fit(checkpoint: &Checkpoint, graph: &[u8]) -> Result<(), Misfit> {
    let other = |reason: String| Misfit { reason, same_network: false };
    let graph = onnx::Graph::parse(graph).map_err(other)?;
    let kwargs = graph.metadata("kwargs").ok_or("the graph was not made by make_graph.py");
    let arguments = kwargs.map_err(String::from).and_then(Arguments::parse).map_err(other)?;
    if let Some(reason) = checkpoint.arguments.difference(&arguments) {
        return Err(other(reason));
    }
    onnx::compare(&graph.open_initialisers(), &checkpoint.tensors)
        .map_err(|reason| Misfit { reason, same_network: true })
}

/// The card of what is imported: that of the published Spleeter whose graph it fills, or one of its own.
fn card(
    import: &ImportRequest<'_>,
    spleeter: Option<&PublishedModel>,
    path: &Path,
    graph: &[u8],
    weights: Vec<WeightsFile>,
) -> Result<String, String> {
    let title = format!("{}, imported unverified", import.name);
    let licence = "not known: imported from a file".to_owned();
    let card = match spleeter {
        Some(spleeter) => {
            let graph = FileReference { file: GRAPH_FILE.into(), ..spleeter.card.graph.clone() };
            let name = import.name.clone();
            ModelCard { name, title, licence, weights, graph, ..spleeter.card.clone() }
        }
        None => {
            let checkpoint = Checkpoint::read(path)?;
            let shape = onnx::Graph::parse(graph)?.port("mix").unwrap_or_default();
            let segment = shape.last().and_then(|&frames| u64::try_from(frames).ok()).unwrap_or(0);
            ModelCard {
                name: import.name.clone(),
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
    // It is read again each time the models are listed.
    ModelCard::parse(&text, CARD_FILE).map_err(|error| error.to_string())?;
    Ok(text)
}
