//! `stemwire models`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use crate::model::ModelName;

#[derive(Debug, Args)]
pub(in crate::cli) struct Models {
    #[command(subcommand)]
    pub(in crate::cli) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ModelsCommand {
    /// List the models: those that are here, and those that their authors publish
    List {
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Download a published model from its authors, or go on with a download that broke off
    Pull {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Server that has the files under the same paths as the authors'
        #[arg(long, value_name = "URL", env = "STEMWIRE_MODELS_MIRROR")]
        mirror: Option<String>,
        /// Never use the network
        #[arg(long, env = "STEMWIRE_OFFLINE", value_parser = FalseyValueParser::new())]
        offline: bool,
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Take a published model, or a fine-tune of HTDemucs, from files that are here
    Import {
        /// The name of the published model, or the name that the fine-tune shall have
        #[arg(value_name = "NAME")]
        name: ModelName,
        /// Its files, or a folder with them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Take files that nobody vouches for; every answer will say so
        #[arg(long)]
        allow_unverified: bool,
        /// Graph of a network that is not built in, made by models/tools/make_graph.py
        #[arg(long, value_name = "FILE", requires = "allow_unverified")]
        graph: Option<PathBuf>,
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Check the files of all models that are here
    Verify {
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Remove a model
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        folder: ModelsFolder,
    },
}

/// Where models are.
#[derive(Debug, Args)]
pub(in crate::cli) struct ModelsFolder {
    /// Folder with models beside the built-in one
    #[arg(long, value_name = "DIR", env = "STEMWIRE_MODELS_DIR")]
    pub(in crate::cli) models_dir: Option<PathBuf>,
}
