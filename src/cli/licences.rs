//! `stemwire licences`: prints the licences of the program and of all that it consists of.

use clap::Args;
use serde_json::json;

use super::error::CliError;
use super::output::write;
use crate::licences::{LICENCE, LicenceList};

#[derive(Debug, Args)]
pub(super) struct LicencesArgs {
    /// Print sources, notices and the texts of all licences too
    #[arg(long, conflicts_with = "json")]
    full: bool,
    /// Print all of that as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &LicencesArgs) -> Result<(), CliError> {
    let list = LicenceList::of_this_build();
    if args.json {
        let program = json!({
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "licence": LICENCE,
            "packages": list.packages,
            "texts": list.texts,
        });
        return write(&format!("{program:#}\n"));
    }
    if args.full {
        return write(&list.full_text());
    }
    write(&(list.table() + "\nSources, notices and texts: stemwire licences --full\n"))
}
