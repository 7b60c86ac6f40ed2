//! `stemwire models`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::args::{Models, ModelsCommand, ModelsFolder};
use super::error::CliError;
use super::runtime::write;
use super::setup;
use crate::audio::StemName;
use crate::model::registry;
use crate::model::registry::PublishedModel;
use crate::model::registry::import::{ImportOutcome, ImportRequest, import};
use crate::model::registry::pull::{DownloadStep, pull};
use crate::model::{Model, ModelCard, ModelName};
use crate::proto::reason::Category;

pub(super) fn run(arguments: &Models) -> Result<(), CliError> {
    match &arguments.command {
        ModelsCommand::List { folder } => list(folder),
        ModelsCommand::Pull { name, mirror, offline, folder } => {
            download(name, mirror.as_deref(), *offline, folder)
        }
        ModelsCommand::Import { name, paths, allow_unverified, graph, folder } => {
            let published = PublishedModel::find(name.as_str()).ok();
            let how = ImportRequest {
                name,
                published: published.as_ref(),
                paths,
                allow_unverified: *allow_unverified,
                graph: graph.as_deref(),
            };
            take(&how, folder)
        }
        ModelsCommand::Verify { folder } => verify(folder),
        ModelsCommand::Remove { name, folder } => remove(name, folder),
    }
}

impl ModelsFolder {
    fn path(&self) -> Result<PathBuf, CliError> {
        setup::models_folder(self.models_dir.as_deref())
    }
}

fn list(folder: &ModelsFolder) -> Result<(), CliError> {
    let catalog = setup::catalog(folder.models_dir.as_deref());
    let mut text = String::new();
    for model in catalog.models() {
        text += &described(model.card(), &state(model));
    }
    let models = folder.path().ok();
    for published in PublishedModel::all() {
        if catalog.models().iter().all(|model| model.card().name != published.card.name) {
            text += &described(&published.card, &missing(&published, models.as_deref()));
        }
    }
    write(&text)
}

/// What there is to know of a model, which is in the state that `state` tells of.
fn described(card: &ModelCard, state: &str) -> String {
    let stems: Vec<_> = card.stems.iter().map(StemName::as_str).collect();
    let seconds = card.segment.duration(card.sample_rate).as_secs_f64();
    let mut text = String::new();
    let rows = [
        (card.name.as_str(), state.to_owned()),
        ("", format!("{}, segments of {seconds:.1} s", card.sample_rate)),
        ("", format!("licence {}", card.licence)),
        ("", format!("sha256 {}", card.weights_hash())),
        ("", format!("stems {}", stems.join(", "))),
    ];
    for (name, row) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:16} {row}");
    }
    text
}

fn state(model: &Model) -> String {
    let bytes = HumanBytes(model.stored_bytes());
    match model.folder() {
        None => format!("built in, {bytes}"),
        Some(folder) if model.is_verified() => format!("installed, {bytes}, {}", folder.display()),
        Some(folder) => format!("installed, NOT VERIFIED, {bytes}, {}", folder.display()),
    }
}

fn missing(published: &PublishedModel, models: Option<&Path>) -> String {
    let bytes = HumanBytes(published.bytes());
    match models.map_or(0, |models| published.bytes_here(models)) {
        0 => format!("not installed, {bytes} to download"),
        here => format!("not installed, {} of {bytes} downloaded", HumanBytes(here)),
    }
}

fn download(
    name: &str,
    mirror: Option<&str>,
    offline: bool,
    folder: &ModelsFolder,
) -> Result<(), CliError> {
    let published = PublishedModel::find(name)?;
    if offline {
        let cause = format!("model {name} is not downloaded: --offline forbids it");
        let remedy = "leave --offline and STEMWIRE_OFFLINE out, or use `stemwire models import`";
        return Err(CliError::new(Category::Usage, cause, remedy));
    }
    let models = folder.path()?;
    eprintln!("{name}: licence of the weights: {}", published.card.licence);
    with_bar(|progress| pull(&published, mirror, &models, progress))?;
    write(&format!("{name} is installed in {}\n", published.folder(&models).display()))
}

fn take(how: &ImportRequest<'_>, folder: &ModelsFolder) -> Result<(), CliError> {
    let models = folder.path()?;
    let imported = with_bar(|progress| import(how, &models, progress))?;
    let place = models.join(how.name.as_str());
    let place = place.display();
    match imported {
        ImportOutcome::Verified => {
            let text = "its files are those that its authors publish";
            write(&format!("{} is installed in {place}: {text}\n", how.name))
        }
        ImportOutcome::Unverified => {
            warn_unverified(how.name);
            write(&format!("{} is installed in {place}, NOT VERIFIED\n", how.name))
        }
    }
}

fn warn_unverified(name: &ModelName) {
    eprintln!(
        "WARNING: nobody vouches for the files of {name}: they are not known to be their authors' \
         own. Every answer of this model will say so."
    );
}

fn verify(folder: &ModelsFolder) -> Result<(), CliError> {
    let catalog = setup::catalog(folder.models_dir.as_deref());
    let mut bad: Vec<CliError> = Vec::new();
    for model in catalog.models() {
        let name = &model.card().name;
        match registry::verify(model) {
            Ok(()) => {
                let hash = model.card().weights_hash();
                let what = if model.is_verified() { "good" } else { "good, NOT VERIFIED" };
                write(&format!("{name:16} {what}, sha256 {hash}\n"))?;
            }
            Err(error) => {
                write(&format!("{name:16} BAD: {error}\n"))?;
                bad.push(error.into());
            }
        }
    }
    match (bad.len(), catalog.faults().len()) {
        (0, 0) => Ok(()),
        (1, 0) => Err(bad.remove(0)),
        (bad, faults) => {
            let cause = format!("{} models are not what they must be", bad + faults);
            Err(CliError::new(Category::Engine, cause, "remove them and install them again"))
        }
    }
}

fn remove(name: &str, folder: &ModelsFolder) -> Result<(), CliError> {
    let models = folder.path()?;
    let catalog = setup::catalog(folder.models_dir.as_deref());
    let removed = registry::remove(name, catalog.find(name).ok().as_deref(), &models)?;
    write(&format!("{name} is removed: {}\n", removed.display()))
}

/// Shows how far `work` is.
fn with_bar<T, E>(
    work: impl FnOnce(&mut dyn FnMut(DownloadStep<'_>)) -> Result<T, E>,
) -> Result<T, E> {
    let bar = ProgressBar::new(0);
    let style = "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let result = work(&mut |step| match step {
        DownloadStep::Fetching { file, bytes, total } => {
            bar.set_message(file.to_owned());
            bar.set_length(total);
            bar.set_position(bytes);
        }
        DownloadStep::Verifying { file } => bar.set_message(format!("{file}: verifying")),
    });
    bar.finish_and_clear();
    result
}
