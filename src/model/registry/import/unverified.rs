//! Imports unknown files as an unverified model: a fine-tune of HTDemucs, SCNet, a RoFormer or Spleeter, or a replacement of a published
//! file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::given::{GivenFiles, copy};
use super::network::{GRAPH_FILE, Network, OTHER_CONFIGURATION, check_tensors, unfit};
use super::spleeter::{is_archive, model_of};
use super::{ImportRequest, htdemucs, roformer, scnet};
use crate::files::{ScratchDir, write_synced};
use crate::model::ModelCard;
use crate::model::card::{Family, WeightsFile};
use crate::model::checkpoint::configuration::Configuration;
use crate::model::checkpoint::scnet::is_scnet;
use crate::model::checkpoint::{self, WeightsFormat};
use crate::model::files::CARD_FILE;
use crate::model::registry::file::publish;
use crate::model::registry::pull::DownloadStep;
use crate::model::registry::{PublishedModel, RegistryError};
use crate::model::roformer::is_roformer;

/// Remedy for weights of another network than the published model's.
const OTHER_NETWORK: &str =
    "Choose another name, and give the configuration of the checkpoint with --config FILE.yaml.";

/// Remedy for a configuration of another kind of network.
const OTHER_FAMILY: &str = "Give the configuration and the checkpoint of an SCNet or a RoFormer, or the .th of an HTDemucs \
     without --config.";

/// Remedy for other stems.
const OTHER_STEMS: &str = "Name each stem of the network once, in its order, with --stems.";

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
    let given = GivenFiles::of(request.paths)?;
    let files = in_order(&given, request.published);
    let Some((first, others)) = files.split_first() else {
        let path = request.paths.first().cloned().unwrap_or_default();
        let reason = "expected one file, or the files of a published bag with their names".into();
        return Err(RegistryError::Unfit { path, reason, remedy: htdemucs::OTHER_FILE });
    };
    let Network { mut card, graph } = network_of(request, first, others)?;
    if !request.stems.is_empty() {
        if request.stems.len() != card.stems.len() || !others.is_empty() {
            let (own, given) = (card.stems.len(), request.stems.len());
            let reason = format!("its stems are {own}, but {given} names were given");
            return Err(unfit(first, reason, OTHER_STEMS));
        }
        card.stems = request.stems.to_vec();
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
        let planned = card.weights.get(index);
        let file = planned.map_or(weights_file(path)?, |planned| &planned.file).to_owned();
        progress(DownloadStep::Verifying { file: &file });
        let sha256 = copy(path, &partial.join(&file))?;
        weights.push(WeightsFile { file, sha256, stem: planned.and_then(|p| p.stem.clone()) });
    }
    let card = as_toml(&ModelCard { weights, ..card })
        .map_err(|reason| unfit(first, reason, htdemucs::OTHER_FILE))?;
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

/// The network of the weights in `first` and, of a bag, `others`.
fn network_of(
    request: &ImportRequest<'_>,
    first: &Path,
    others: &[PathBuf],
) -> Result<Network, RegistryError> {
    if let Some(config) = request.config {
        let configuration = Configuration::read(config)
            .map_err(|reason| unfit(config, reason, OTHER_CONFIGURATION))?;
        let of_family = match (is_roformer(&configuration), is_scnet(&configuration)) {
            (true, _) => roformer::configured,
            (_, true) => scnet::configured,
            _ => {
                let reason = "its model is neither an SCNet nor a RoFormer".to_owned();
                return Err(unfit(config, reason, OTHER_FAMILY));
            }
        };
        return of_family(request, first, config, &configuration);
    }
    let family = request.published.map(|published| (published, published.card.family));
    let spleeter = match family {
        Some((published, Family::Roformer | Family::Scnet)) => {
            check_tensors(first, published.graph, OTHER_NETWORK)?;
            return Ok(Network::published(request, &published.card, published.graph));
        }
        Some((published, Family::Spleeter)) => model_of(first, Some(published))?,
        None if is_archive(first) => model_of(first, None)?,
        _ => return htdemucs::network_of(request, first, others),
    };
    Ok(Network::published(request, &spleeter.card, spleeter.graph))
}

/// The name of a file of weights that is not published, by its format.
fn weights_file(path: &Path) -> Result<&'static str, RegistryError> {
    let mut file = File::open(path).map_err(RegistryError::io(path))?;
    Ok(match WeightsFormat::of(&mut file) {
        Ok(WeightsFormat::Pytorch) => "weights.th",
        _ => "weights.safetensors",
    })
}

/// A card as text. It is parsed each time the models are opened, so it must be valid.
pub(super) fn as_toml(card: &ModelCard) -> Result<String, String> {
    let text = card.to_toml()?;
    ModelCard::parse(&text, CARD_FILE).map_err(|error| error.to_string())?;
    Ok(text)
}
