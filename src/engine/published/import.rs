//! A model from files that the user has.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::checkpoint::{Arguments, Checkpoint};
use super::pull::Step;
use super::{Published, PublishedError, hash_of, part, publish, sync_folder};
use crate::audio::Frames;
use crate::dsp::segments::Blend;
use crate::engine::card::{Family, FileReference, WeightsFile};
use crate::engine::catalog::embedded::MINI_GRAPH;
use crate::engine::model::CARD_FILE;
use crate::engine::scratch::Scratch;
use crate::engine::{ModelCard, ModelName, Sha256Hash, onnx};

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Import<'a> {
    /// The name that the model gets.
    pub name: &'a ModelName,
    /// Its files, or folders with them.
    pub paths: &'a [PathBuf],
    /// Whether files that nothing is known of are taken.
    pub allow_unverified: bool,
    /// The graph of a network that no built-in graph is of.
    pub graph: Option<&'a Path>,
}

/// How a model was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// Its files are those that its authors publish.
    Verified,
    /// They are not known; every answer says so.
    Unverified,
}

/// What the files of an unverified model are called.
const GRAPH_FILE: &str = "graph.onnx";
const WEIGHTS_FILE: &str = "weights.safetensors";

/// What helps where a graph is missing.
const MAKE_GRAPH: &str =
    "make a graph of it with models/tools/make_graph.py and name that with --graph FILE";

/// What helps where weights are missing or others.
const OTHER_FILE: &str =
    "give a safetensors file of HTDemucs, with the metadata that its authors' files have";

/// Copies a model's files into `models`. Files of a published model are verified against what is
/// published; others make a folder with a card and a graph of its own.
///
/// # Errors
/// [`PublishedError::Exists`], `Hash`, `Missing`, `Unverifiable`, `Unfit`, `Io`.
pub fn import(
    import: &Import<'_>,
    models: &Path,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Imported, PublishedError> {
    let folder = models.join(import.name.as_str());
    let exists =
        || PublishedError::Exists { name: import.name.to_string(), folder: folder.clone() };
    if folder.join(CARD_FILE).exists() {
        return Err(exists());
    }
    let published = Published::find(import.name.as_str()).ok();
    if let Some(published) = published.as_ref().filter(|_| import.graph.is_none()) {
        match verified(published, &Given::of(import.paths)?, &folder, progress) {
            Err(PublishedError::Hash { .. } | PublishedError::Missing { .. })
                if import.allow_unverified => {}
            result => return result.map(|()| Imported::Verified),
        }
    }
    if !import.allow_unverified {
        return Err(PublishedError::Unverifiable { name: import.name.to_string() });
    }
    if folder.exists() {
        return Err(exists());
    }
    unverified(import, published.as_ref(), models, progress)?;
    Ok(Imported::Unverified)
}

/// The files that were given.
struct Given {
    files: Vec<PathBuf>,
    hashes: HashMap<PathBuf, Sha256Hash>,
}

impl Given {
    /// Folders stand for the files in them.
    fn of(paths: &[PathBuf]) -> Result<Given, PublishedError> {
        let mut files = Vec::new();
        for path in paths {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let entries = fs::read_dir(path).map_err(PublishedError::io(path))?;
            let inside = entries.flatten().map(|entry| entry.path());
            let mut inside: Vec<_> = inside.filter(|path| path.is_file()).collect();
            inside.sort();
            files.append(&mut inside);
        }
        Ok(Given { files, hashes: HashMap::new() })
    }

    fn named(&self, file: &str) -> Option<&PathBuf> {
        self.files.iter().find(|path| path.file_name().is_some_and(|name| name == file))
    }

    /// The file that is `weights`, whatever it is called: the one of that name first, then those of the
    /// same kind.
    fn find(
        &mut self,
        weights: &WeightsFile,
        model: &ModelName,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<PathBuf, PublishedError> {
        let file = weights.file.as_str();
        let kind = Path::new(file).extension();
        let named = self.named(file).cloned();
        let others = self.files.iter().filter(|path| path.extension() == kind).cloned();
        let candidates: Vec<PathBuf> = named.iter().cloned().chain(others).collect();
        for path in &candidates {
            progress(Step::Verifying { file });
            if self.hash(path)? == weights.sha256 {
                return Ok(path.clone());
            }
        }
        match named.or(candidates.first().filter(|_| self.files.len() == 1).cloned()) {
            Some(path) => Err(PublishedError::Hash {
                found: self.hash(&path)?,
                place: path.display().to_string(),
                file: file.to_owned(),
                expected: weights.sha256,
            }),
            None => Err(PublishedError::Missing { name: model.to_string(), file: file.to_owned() }),
        }
    }

    fn hash(&mut self, path: &Path) -> Result<Sha256Hash, PublishedError> {
        if let Some(hash) = self.hashes.get(path) {
            return Ok(*hash);
        }
        let hash = hash_of(path)?;
        self.hashes.insert(path.to_owned(), hash);
        Ok(hash)
    }
}

/// Takes the published files of a model.
fn verified(
    published: &Published,
    given: &Given,
    folder: &Path,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<(), PublishedError> {
    let mut given = Given { files: given.files.clone(), hashes: HashMap::new() };
    let find = |weights| given.find(weights, &published.card.name, progress);
    let files: Vec<PathBuf> = published.card.weights.iter().map(find).collect::<Result<_, _>>()?;
    fs::create_dir_all(folder).map_err(PublishedError::io(folder))?;
    for (from, weights) in files.iter().zip(&published.card.weights) {
        let path = folder.join(&weights.file);
        let part = part(&path);
        // What was copied is what counts.
        let found = copy(from, &part)?;
        if found != weights.sha256 {
            fs::remove_file(&part).map_err(PublishedError::io(&part))?;
            return Err(PublishedError::Hash {
                place: from.display().to_string(),
                file: weights.file.clone(),
                expected: weights.sha256,
                found,
            });
        }
        publish(&part, &path)?;
    }
    Ok(())
}

/// Copies a file; answers the copy's hash.
fn copy(from: &Path, to: &Path) -> Result<Sha256Hash, PublishedError> {
    File::open(from).map_err(PublishedError::io(from))?;
    let copied = fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    if let Err(error) = copied {
        // It would only take room that may be what is missing.
        let _ = fs::remove_file(to);
        return Err(PublishedError::io(to)(error));
    }
    hash_of(to)
}

/// Makes a folder of files that nothing is known of.
fn unverified(
    import: &Import<'_>,
    published: Option<&Published>,
    models: &Path,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<(), PublishedError> {
    let given = Given::of(import.paths)?;
    let files = in_order(&given, published);
    let Some(first) = files.first() else {
        let path = import.paths.first().cloned().unwrap_or_default();
        let reason = "it takes one file, or the files of a published bag under their names".into();
        return Err(PublishedError::Unfit { path, reason, remedy: OTHER_FILE });
    };
    let unfit = |path: &Path, reason, remedy| PublishedError::Unfit {
        path: path.to_owned(),
        reason,
        remedy,
    };
    let graph = graph_for(first, import.graph, published)?;
    for path in &files[1..] {
        let checkpoint = Checkpoint::read(path).map_err(|r| unfit(path, r, OTHER_FILE))?;
        fit(&checkpoint, &graph).map_err(|misfit| unfit(path, misfit.reason, OTHER_FILE))?;
    }
    let scratch = Scratch::new(models, import.name.as_str()).map_err(PublishedError::io(models))?;
    let mut weights = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let planned = published.and_then(|published| published.card.weights.get(index));
        let file = planned.map_or(WEIGHTS_FILE, |planned| &planned.file).to_owned();
        progress(Step::Verifying { file: &file });
        let sha256 = copy(path, &scratch.path().join(&file))?;
        weights.push(WeightsFile { file, sha256, stem: planned.and_then(|p| p.stem.clone()) });
    }
    let card =
        card(import, first, &graph, weights).map_err(|reason| unfit(first, reason, OTHER_FILE))?;
    for (file, bytes) in [(GRAPH_FILE, &graph[..]), (CARD_FILE, card.as_bytes())] {
        let path = scratch.path().join(file);
        let written = fs::write(&path, bytes).and_then(|()| File::open(&path)?.sync_all());
        written.map_err(PublishedError::io(&path))?;
    }
    let folder = models.join(import.name.as_str());
    fs::rename(scratch.path(), &folder).map_err(PublishedError::io(&folder))?;
    sync_folder(models)
}

/// The given files in the order of the published model's, by their names; one file needs no name.
fn in_order(given: &Given, published: Option<&Published>) -> Vec<PathBuf> {
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
    published: Option<&Published>,
) -> Result<Vec<u8>, PublishedError> {
    let unfit = |reason, remedy| PublishedError::Unfit { path: path.to_owned(), reason, remedy };
    let checkpoint = Checkpoint::read(path).map_err(|reason| unfit(reason, OTHER_FILE))?;
    if let Some(named) = named {
        let graph = fs::read(named).map_err(PublishedError::io(named))?;
        return match fit(&checkpoint, &graph) {
            Ok(()) => Ok(graph),
            Err(misfit) => Err(unfit(misfit.reason, MAKE_GRAPH)),
        };
    }
    let graphs: Vec<&'static [u8]> = match published {
        Some(published) => vec![published.graph],
        None => {
            let all = Published::all().filter(|other| other.card.family == Family::Htdemucs);
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

/// The card of what is imported.
fn card(
    import: &Import<'_>,
    path: &Path,
    graph: &[u8],
    weights: Vec<WeightsFile>,
) -> Result<String, String> {
    let checkpoint = Checkpoint::read(path)?;
    let shape = onnx::Graph::parse(graph)?.port("mix").unwrap_or_default();
    let segment = shape.last().and_then(|&frames| u64::try_from(frames).ok()).unwrap_or(0);
    let card = ModelCard {
        name: import.name.clone(),
        title: format!("{}, imported unverified", import.name),
        family: Family::Htdemucs,
        stems: checkpoint.stems,
        sample_rate: checkpoint.sample_rate,
        segment: Frames(segment),
        overlap: 0.25,
        blend: Blend::Average,
        residual_shares: Vec::new(),
        licence: "not known: imported from a file".into(),
        stft: Some(checkpoint.stft),
        graph: FileReference { file: GRAPH_FILE.into(), sha256: Sha256Hash::of(graph) },
        weights,
    };
    let text = card.to_toml()?;
    // It is read again each time the models are listed.
    ModelCard::parse(&text, CARD_FILE).map_err(|error| error.to_string())?;
    Ok(text)
}
