//! `stemwire doctor`: whether everything is in place, and what to do where it is not.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::args::Doctor;
use super::error::CliError;
use super::providers::{SelectionLimits, select_from};
use super::runtime::write;
use super::setup;
use crate::engine::ProviderSelection;
use crate::engine::limits::TimeLimits;
use crate::engine::provider::selection::{ModelsToSelect, SelectedExecution, SelectionOutcome};
use crate::engine::runtime::locate::LibraryOrigin;
use crate::files;
use crate::model::{Catalog, Model};
use crate::proto::reason::Category;

/// Below this a session of an hour may not fit.
const LITTLE_DISK: u64 = 4 << 30;

/// What was found of one thing.
enum Finding {
    Good(String),
    Bad { what: String, remedy: String },
}

pub(super) fn run(arguments: &Doctor) -> Result<(), CliError> {
    let mut findings = Vec::new();
    let threads = setup::pool_config(&arguments.engine)?.threads_per_worker;
    let catalog = setup::catalog(arguments.engine.models_dir.as_deref());
    let providers = check_runtime(arguments, threads, &catalog, &mut findings);
    check_models(arguments, &catalog, providers, &mut findings);
    check_decoder(&mut findings);
    check_disk(arguments, &mut findings);
    check_port(arguments, &mut findings);
    let mut report = String::new();
    let mut faults = 0;
    for finding in findings {
        let written = match finding {
            Finding::Good(what) => writeln!(report, "good  {what}"),
            Finding::Bad { what, remedy } => {
                faults += 1;
                writeln!(report, "BAD   {what}\n      remedy: {remedy}")
            }
        };
        written.map_err(|error| CliError::plain(Category::Other, error.to_string()))?;
    }
    write(&report)?;
    match faults {
        0 => Ok(()),
        1 => Err(CliError::plain(Category::Other, "one thing is not in place")),
        _ => Err(CliError::plain(Category::Other, format!("{faults} things are not in place"))),
    }
}

fn bad(what: impl ToString, remedy: impl Into<String>) -> Finding {
    Finding::Bad { what: what.to_string(), remedy: remedy.into() }
}

fn check_runtime(
    arguments: &Doctor,
    threads: usize,
    catalog: &Catalog,
    findings: &mut Vec<Finding>,
) -> Option<ProviderSelection> {
    let search = setup::search(arguments.engine.runtime.as_deref());
    let chosen = match search.libraries() {
        Ok(libraries) => {
            let models =
                ModelsToSelect { preferred: catalog.models().to_vec(), others: Vec::new() };
            let limits = SelectionLimits::default();
            select_from(&arguments.engine, threads, limits, &search, &libraries, &models)
        }
        Err(error) => Err(error),
    };
    match chosen {
        Ok(SelectionOutcome { providers, .. }) => {
            let runtime = providers.runtime();
            let path = runtime.path();
            let origin = search.find().map_or(LibraryOrigin::Cache, |found| found.origin);
            let place = path.display();
            findings.push(Finding::Good(format!("{} at {place} ({origin})", runtime.name())));
            Some(providers)
        }
        Err(error) => {
            findings.push(bad(&error, error.remedy()));
            None
        }
    }
}

fn check_models(
    arguments: &Doctor,
    catalog: &Catalog,
    providers: Option<ProviderSelection>,
    findings: &mut Vec<Finding>,
) {
    for fault in catalog.faults() {
        findings.push(bad(fault, "mend the card, or remove its folder"));
    }
    let Some(providers) = providers else { return };
    let pool = match setup::pool(&arguments.engine, TimeLimits::default(), providers) {
        Ok(pool) => pool,
        Err(_) => return findings.push(bad("the system gives no threads", "lower --threads")),
    };
    let check = |model: &Arc<Model>| {
        let card = model.card();
        // The first segment touches the memory, the second shows the speed.
        match pool.warm_up(model).and_then(|_| pool.warm_up(model)) {
            Ok(time) => {
                let audio = card.segment.duration(card.sample_rate).as_secs_f64();
                let factor = audio * (1.0 - card.overlap) / time.as_secs_f64();
                let SelectedExecution { execution, reason, results } =
                    pool.providers().for_model(model);
                let works = format!("model {} works, {factor:.1}× real time", card.name);
                let measured: String =
                    results.iter().map(|result| format!("\n      measured {result}")).collect();
                Finding::Good(format!("{works}, on {execution}: {reason}{measured}"))
            }
            Err(error) => bad(error, "install the model again"),
        }
    };
    findings.extend(catalog.models().iter().map(check));
}

fn check_decoder(findings: &mut Vec<Finding>) {
    let called = std::env::current_exe().and_then(|binary| {
        Command::new(binary).args(["decode", "--help"]).stdout(Stdio::null()).status()
    });
    findings.push(match called {
        Ok(status) if status.success() => Finding::Good("decoders can be started".into()),
        Ok(status) => bad(format!("a decoder ends with {status}"), "install the binary again"),
        Err(error) => {
            bad(format!("no decoder can be started: {error}"), "see that the binary may be run")
        }
    });
}

fn check_disk(arguments: &Doctor, findings: &mut Vec<Finding>) {
    let Some(folder) = arguments.data_dir.clone().or_else(setup::default_data_dir) else {
        return findings.push(bad("the system names no data folder", "name one with --data-dir"));
    };
    if let Err(error) = check_writable(&folder) {
        let what = format!("{} cannot be written: {error}", folder.display());
        return findings.push(bad(what, "name another folder with --data-dir"));
    }
    let place = folder.display();
    findings.push(match files::free_bytes(&folder) {
        Some(free) if free < LITTLE_DISK => {
            bad(format!("only {} MB are free at {place}", free >> 20), "make room")
        }
        Some(free) => Finding::Good(format!("{} GB are free at {place}", free >> 30)),
        None => Finding::Good(format!("{place} can be written")),
    });
}

fn check_writable(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(|_| ())
}

fn check_port(arguments: &Doctor, findings: &mut Vec<Finding>) {
    let address = arguments.listen;
    findings.push(match TcpListener::bind(address) {
        Ok(_) => Finding::Good(format!("{address} is free for the server")),
        Err(error) => {
            let what = format!("{address} is not free: {error}");
            bad(what, "end who has it, which may be a stemwire server, or take another --listen")
        }
    });
}
