//! `stemwire separate`: separates songs into files, or one stem of a song into a pipe.

mod args;
mod backend;
mod choices;
mod destination;
mod inputs;
mod local;
mod outcome;
mod progress;
mod received;
mod remote;
mod report;
mod request;
mod results;
mod scratch;
mod sessions;
mod songs;
mod source;
mod time;

use super::error::CliError;

pub(super) use args::SeparateArgs;
use backend::Backend;
use destination::Destination;
use inputs::{FailedInput, Inputs};
use local::LocalBackend;
use outcome::Outcome;
use remote::RemoteBackend;
use report::Report;
use request::{BackendConfig, SeparateRequest};
pub(super) use results::FinishedResult;
pub(super) use scratch::scratch_dir;
use songs::SongSeparation;

/// Separates the songs, several at a time if that is asked for; one that fails does not stop the others.
pub(super) fn run(args: &SeparateArgs) -> Result<(), CliError> {
    let report = Report::new(args.json);
    let outcome = SeparateRequest::new(args).and_then(|request| separate_all(request, &report));
    match outcome {
        Ok(outcome) => {
            report.finished(outcome.counts());
            outcome.into_result()
        }
        Err(error) => {
            report.failed(None, &error);
            Err(error)
        }
    }
}

fn separate_all(request: SeparateRequest, report: &Report) -> Result<Outcome, CliError> {
    let Inputs { songs, failed } = &request.inputs;
    let mut run = SongSeparation::new(&request, report);
    for FailedInput { input, error } in failed {
        run.fail(input, error.clone());
    }
    if songs.is_empty() {
        return Ok(run.into_outcome());
    }
    let backend: Box<dyn Backend> = match &request.backend {
        BackendConfig::Local { engine, chain, ffmpeg } => {
            let (engine, ffmpeg) = (engine.clone(), ffmpeg.clone());
            Box::new(LocalBackend::open(engine, chain, ffmpeg, &request.settings)?)
        }
        BackendConfig::Remote(server) => {
            Box::new(RemoteBackend::open(server.clone(), &request.settings)?)
        }
    };
    run.model = match &request.destination {
        Destination::Files { .. } => backend.model()?,
        Destination::Pipe(_) => None,
    };
    if let Some(model) = &run.model {
        request.check_stems(&model.stems)?;
    }
    let mut pending = Vec::new();
    for song in songs {
        match run.has_result(song) {
            Ok(true) => {}
            Ok(false) => pending.push(song),
            Err(error) => run.fail(&song.input, error.at(&song.name)),
        }
    }
    if pending.is_empty() {
        scratch::remove_abandoned(&request.scratch_parent);
    } else {
        let separator = backend.start(&request.scratch_parent, request.jobs)?;
        run.separate_pending(&pending, &*separator);
    }
    Ok(run.into_outcome())
}
