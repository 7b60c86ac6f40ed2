//! `stemwire models`: lists, recommends, measures, downloads, imports, stores, verifies and removes models.

mod benchmark;
mod listing;
mod push;
mod recommend;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::error::CliError;
use super::output::{with_progress, write};
use super::setup;
use crate::audio::StemName;
use crate::model::ModelName;
use crate::model::registry;
use crate::model::registry::PublishedModel;
use crate::model::registry::import::{ImportOutcome, ImportRequest, MdxOptions, import};
use crate::model::registry::pull::pull;
use crate::proto::reason::Category;
use benchmark::{BenchmarkArgs, benchmark};
use listing::NAME_WIDTH;
use push::{PushArgs, push};
use recommend::{RecommendArgs, recommend};

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List installed and published models
    List {
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Order the known models that yield the wanted stems by their published figures
    Recommend(RecommendArgs),
    /// Measure the speed of models on this machine, and keep it for `models list`
    Benchmark(BenchmarkArgs),
    /// Download a published model, or resume its download
    Pull {
        /// Name of the model
        #[arg(value_name = "NAME")]
        name: String,
        /// Server that has the files under the same paths as the authors' server
        #[arg(long, value_name = "URL", env = "STEMWIRE_MODELS_MIRROR")]
        mirror: Option<String>,
        /// Never use the network
        #[arg(long, env = "STEMWIRE_OFFLINE", value_parser = FalseyValueParser::new())]
        offline: bool,
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Import a published model or a fine-tuned one from local files
    Import {
        /// Name of the published model, or a new name for a fine-tuned one
        #[arg(value_name = "NAME")]
        name: ModelName,
        /// Files of the model, or folders that contain them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Accept files that no published hash verifies; results are marked as not verified
        #[arg(long)]
        allow_unverified: bool,
        /// Configuration in YAML beside the checkpoint of an SCNet or a RoFormer, as Music-Source-Separation-Training has it;
        /// or UVR's model_data_new.json, for an MDX-Net
        #[arg(long, value_name = "FILE", requires = "allow_unverified")]
        config: Option<PathBuf>,
        /// Graph from models/tools (make_graph.py, make_scnet.py), for a network that is not built in
        #[arg(long, value_name = "FILE", requires = "allow_unverified")]
        graph: Option<PathBuf>,
        /// Names of the network's stems in its order, in place of those of its configuration, such as lead_vocals
        #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "allow_unverified")]
        stems: Vec<StemName>,
        #[command(flatten)]
        mdx: MdxArgs,
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Put an installed model into an object store, from which the gateways and workers of a cluster fetch it
    Push(PushArgs),
    /// Verify the files of all installed models
    Verify {
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Remove a model
    Remove {
        /// Name of the model
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        folder: ModelsFolder,
    },
}

/// Options of `import` for MDX-Nets.
#[derive(Debug, Args)]
#[command(next_help_heading = "MDX-Net (.onnx)")]
struct MdxArgs {
    /// Samples of a column of the spectrum, such as 6144 or 7680
    #[arg(long, value_name = "SAMPLES")]
    n_fft: Option<usize>,
    /// Factor of the network's stem in the other one, 0.5 to 2, such as 1.035
    #[arg(long, value_name = "FACTOR")]
    compensation: Option<f32>,
    /// The network's stem, such as vocals or instrumental; the other one is the rest of the mixture
    #[arg(long, value_name = "STEM")]
    primary_stem: Option<String>,
    /// Run the network twice, also on the negated spectrum: less noise, at twice the time
    #[arg(long)]
    denoise: bool,
}

impl MdxArgs {
    fn options(&self) -> MdxOptions {
        MdxOptions {
            n_fft: self.n_fft,
            compensation: self.compensation,
            primary_stem: self.primary_stem.clone(),
            denoise: self.denoise,
        }
    }
}

#[derive(Debug, Args)]
struct ModelsFolder {
    /// Folder of installed models [default: models in the user's data folder]
    #[arg(long, value_name = "DIR", env = "STEMWIRE_MODELS_DIR")]
    models_dir: Option<PathBuf>,
}

impl ModelsFolder {
    fn path(&self) -> Result<PathBuf, CliError> {
        setup::models_folder(self.models_dir.as_deref())
    }
}

pub(super) fn run(args: &ModelsArgs) -> Result<(), CliError> {
    match &args.command {
        ModelsCommand::List { folder } => listing::list(folder),
        ModelsCommand::Recommend(args) => recommend(args),
        ModelsCommand::Benchmark(args) => benchmark(args),
        ModelsCommand::Pull { name, mirror, offline, folder } => {
            download(name, mirror.as_deref(), *offline, folder)
        }
        ModelsCommand::Import {
            name,
            paths,
            allow_unverified,
            config,
            graph,
            stems,
            mdx,
            folder,
        } => {
            let published = PublishedModel::find(name.as_str()).ok();
            let request = ImportRequest {
                name,
                published: published.as_ref(),
                paths,
                allow_unverified: *allow_unverified,
                config: config.as_deref(),
                graph: graph.as_deref(),
                stems,
                mdx: mdx.options(),
            };
            import_files(&request, folder)
        }
        ModelsCommand::Push(args) => push(args),
        ModelsCommand::Verify { folder } => verify(folder),
        ModelsCommand::Remove { name, folder } => remove(name, folder),
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
        let remedy = "Remove --offline and STEMWIRE_OFFLINE, or use `stemwire models import`.";
        return Err(CliError::new(Category::Usage, cause, remedy));
    }
    let models = folder.path()?;
    // Otherwise the error has it.
    if published.address.is_some() {
        eprintln!("{name}: licence of the weights: {}", published.card.licence);
    }
    with_progress(|progress| pull(&published, mirror, &models, progress))?;
    write(&format!("{name} is installed in {}\n", published.folder(&models).display()))
}

fn import_files(request: &ImportRequest<'_>, folder: &ModelsFolder) -> Result<(), CliError> {
    let models = folder.path()?;
    let imported = with_progress(|progress| import(request, &models, progress))?;
    let (name, place) = (request.name, models.join(request.name.as_str()));
    let place = place.display();
    match imported {
        ImportOutcome::Verified => {
            write(&format!("{name} is installed in {place}, verified: the authors' own files\n"))
        }
        ImportOutcome::Unverified => {
            eprintln!(
                "WARNING: the files of {name} match no published hash. Every result of this model is marked as not \
                 verified."
            );
            write(&format!("{name} is installed in {place}, NOT VERIFIED\n"))
        }
    }
}

fn verify(folder: &ModelsFolder) -> Result<(), CliError> {
    let available = setup::available_models(folder.models_dir.as_deref());
    let mut errors: Vec<CliError> = Vec::new();
    for model in available.all() {
        let name = &model.card().name;
        match registry::verify(model) {
            Ok(()) => {
                let hash = model.card().weights_hash();
                let state = if model.is_verified() { "good" } else { "good, NOT VERIFIED" };
                write(&format!("{name:NAME_WIDTH$} {state}, sha256 {hash}\n"))?;
            }
            Err(error) => {
                write(&format!("{name:NAME_WIDTH$} BAD: {error}\n"))?;
                errors.push(error.into());
            }
        }
    }
    match (errors.len(), available.faults().len()) {
        (0, 0) => Ok(()),
        (1, 0) => Err(errors.remove(0)),
        (bad, faults) => {
            let cause = format!("{} models are damaged or have a broken card", bad + faults);
            Err(CliError::new(Category::Engine, cause, "Remove them and install them again."))
        }
    }
}

fn remove(name: &str, folder: &ModelsFolder) -> Result<(), CliError> {
    let models = folder.path()?;
    let available = setup::available_models(folder.models_dir.as_deref());
    let removed = registry::remove(name, available.find(name).ok().as_deref(), &models)?;
    write(&format!("removed {name} from {}\n", removed.display()))
}
