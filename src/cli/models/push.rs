//! `stemwire models push`: puts an installed model into an object store, from which gateways and workers of a cluster fetch it.

use std::io;

use clap::Args;

use super::ModelsFolder;
use crate::cli::error::CliError;
use crate::cli::output::{download_bar, write};
use crate::cli::setup;
use crate::cluster::{PushOutcome, StoreLocation, StoredModels};
use crate::model::registry::{RegistryError, verify};
use crate::model::{Model, Sha256Hash};
use crate::proto::reason::Category;
use crate::session::replica::{Replica, ReplicaError};

#[derive(Debug, Args)]
pub(super) struct PushArgs {
    /// Name of an installed model
    #[arg(value_name = "NAME")]
    name: String,
    /// Object store, a folder or bucket: file:///mnt/stemwire, s3://…, gs://…, az://…
    #[arg(long, value_name = "URL", env = "STEMWIRE_STORE")]
    store: String,
    #[command(flatten)]
    folder: ModelsFolder,
}

/// Stores the files of a model, and its card if it has one of its own.
pub(super) fn push(args: &PushArgs) -> Result<(), CliError> {
    let location: StoreLocation = args.store.parse()?;
    let model = setup::available_models(args.folder.models_dir.as_deref()).find(&args.name)?;
    if let Some(ensemble) = model.ensemble() {
        let members = ensemble.members.iter().map(|member| member.card().name.to_string());
        let members: Vec<_> = members.collect();
        let cause = format!("{} is an ensemble of {}", args.name, members.join(", "));
        let remedy = "Push each of its models that is not part of the binary.";
        return Err(CliError::new(Category::Usage, cause, remedy));
    }
    let Some(folder) = model.folder() else {
        let cause = RegistryError::Embedded { name: args.name.clone() };
        let remedy =
            "Serve it without a push: gateways and workers have it already, in their program.";
        return Err(CliError::new(Category::Usage, cause.to_string(), remedy));
    };
    let store = setup::open_store(&location)?;
    // Fails if another store is there from now on, as where a file system is not mounted any more.
    store.identity().map_err(|error| setup::store_error(&error))?;
    // What is stored under a hash must have it.
    verify(&model)?;
    let stored = StoredModels::new(&store, location.to_string());
    let bar = download_bar(model.stored_bytes());
    let (mut done, mut repaired) = (0, 0);
    for (file, sha256) in model.files() {
        bar.set_message(file.to_owned());
        let path = folder.join(file);
        let pushed = stored.push_file(sha256, &path, &mut |bytes| bar.set_position(done + bytes));
        let PushOutcome { repaired: of_file, .. } =
            pushed.map_err(|error| failed(&model, error))?;
        repaired += of_file;
        done += path.metadata().map_or(0, |data| data.len());
    }
    bar.finish_and_clear();
    if repaired > 0 {
        eprintln!("{repaired} damaged objects were replaced");
    }
    let name = &model.card().name;
    let option = match model.is_published() {
        true => name.to_string(),
        false => {
            let invalid = |reason: String| CliError::plain(Category::Other, reason);
            let card = model.card().to_toml().map_err(invalid)?;
            let hash = Sha256Hash::of(card.as_bytes());
            let pushed = stored.push(hash, card.as_bytes(), &mut |_| {});
            pushed.map_err(|error| failed(&model, error))?;
            format!("{name}={hash}")
        }
    };
    write(&format!("{name} is in {location}; gateways serve it with --fetch-models {option}\n"))
}

fn failed(model: &Model, error: io::Error) -> CliError {
    match ReplicaError::in_error(&error) {
        Some(error) => setup::store_error(error),
        None => {
            let path = model.folder().unwrap_or(std::path::Path::new("")).to_owned();
            RegistryError::Io { path, source: error }.into()
        }
    }
}
