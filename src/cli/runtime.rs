//! `stemwire runtime`.

use std::io::Write;

use super::args::{RuntimeAction, RuntimeCommand};
use super::error::CliError;
use super::setup;
use crate::engine::Runtime;
use crate::engine::runtime::locate::installed;
use crate::engine::runtime::wheel::Wheel;
use crate::proto::reason::Category;

pub(super) fn run(arguments: &RuntimeCommand) -> Result<(), CliError> {
    match &arguments.command {
        RuntimeAction::List => list(),
        RuntimeAction::Install { provider, from } => {
            let search = setup::search(None);
            let path = setup::install_with_bar(*provider, from.as_deref(), &search)?;
            let runtime = Runtime::load(&path)?;
            write(&format!("{} loads from {}\n", runtime.name(), path.display()))
        }
    }
}

fn list() -> Result<(), CliError> {
    let search = setup::search(None);
    let mut text = String::new();
    for wheel in Wheel::for_this_machine() {
        let here = search.cache.as_deref().map(|cache| installed(cache, wheel.provider));
        let state = match here.and_then(|folders| folders.into_iter().next()) {
            Some(folder) => format!("installed in {}", folder.display()),
            None => format!("not installed, {} MB to fetch", wheel.bytes / 1_000_000),
        };
        text += &format!("{:9} {} {}: {state}\n", wheel.provider, wheel.package, wheel.version);
    }
    match search.libraries() {
        Ok(libraries) => {
            // Of several, --provider or autotune selects one.
            let state = if libraries.len() == 1 { "in use" } else { "may be used" };
            for found in libraries {
                text += &format!("{state}: {} ({})\n", found.path.display(), found.origin);
            }
        }
        Err(error) => text += &format!("{error}\n"),
    }
    write(&text)
}

/// Prints to standard output.
pub(super) fn write(text: &str) -> Result<(), CliError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| CliError::plain(Category::Disk, format!("standard output: {error}")))
}
