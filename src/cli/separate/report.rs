//! Reports of a run: lines for people, or JSON for scripts, and the progress bars of the songs under way.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::MultiProgress;
use serde::Serialize;

use super::results::{ResultWindows, SourceSummary, WrittenResult};
use crate::audio::titles::printable;
use crate::cli::error::CliError;

/// Where a run reports what it does.
pub(super) struct Report {
    is_json: bool,
    bars: MultiProgress,
}

/// An object of the JSON lines. `docs/CLI.md` describes them.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Started { input: &'a str },
    Progress { input: &'a str, seconds: f64, total_seconds: Option<f64>, queue_position: u32 },
    Done(DoneLine<'a>),
    Failed { input: Option<&'a str>, error: ErrorObject<'a> },
    Finished(RunCounts),
}

#[derive(Debug, Serialize)]
struct DoneLine<'a> {
    input: &'a str,
    skipped: bool,
    folder: &'a Path,
    stems: BTreeMap<&'a str, PathBuf>,
    seconds: f64,
    sample_rate: u32,
    /// The models that computed, in order.
    models: Vec<&'a str>,
    model_choice: Option<&'a str>,
    windows: Option<&'a ResultWindows>,
    source: Option<&'a SourceSummary>,
    notices: &'a [String],
}

#[derive(Debug, Serialize)]
struct ErrorObject<'a> {
    reason: Option<&'a str>,
    category: String,
    exit_code: u8,
    cause: &'a str,
    remedy: &'a str,
}

/// How the songs of a run have ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct RunCounts {
    pub(super) songs: usize,
    pub(super) done: usize,
    pub(super) skipped: usize,
    pub(super) failed: usize,
}

impl Report {
    /// JSON lines on standard output, or text; no bars yet.
    pub(super) fn new(is_json: bool) -> Report {
        Report { is_json, bars: MultiProgress::new() }
    }

    /// The progress bars.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Prints a line to standard error, above the bars.
    pub(super) fn note(&self, text: &str) {
        self.bars.suspend(|| eprintln!("{text}"));
    }

    /// A song is begun.
    pub(super) fn started(&self, input: &str) {
        self.json(&Line::Started { input });
    }

    /// A song is so far.
    pub(super) fn progress(
        &self,
        input: &str,
        finished: Duration,
        total: Option<Duration>,
        queue_position: u32,
    ) {
        let (seconds, total_seconds) = (finished.as_secs_f64(), total.map(|of| of.as_secs_f64()));
        self.json(&Line::Progress { input, seconds, total_seconds, queue_position });
    }

    /// A song's result is there already.
    pub(super) fn skipped(&self, input: &str, name: &str, result: &WrittenResult) {
        let folder = printable(&result.folder.display().to_string());
        self.note(&format!("{name}: skipped, its stems are already in {folder}; use --force"));
        if result.record.has_fallback() {
            let text = "another model than the requested one computed a part of them";
            self.note(&format!("{name}: note: {text}"));
        }
        self.json(&Line::Done(done(input, true, result)));
    }

    /// A song's result is written.
    ///
    /// # Errors
    /// Standard output is full.
    pub(super) fn done(
        &self,
        input: &str,
        name: &str,
        result: &WrittenResult,
        timing: &str,
    ) -> Result<(), CliError> {
        self.json(&Line::Done(done(input, false, result)));
        if self.is_json {
            return Ok(());
        }
        let stems: Vec<_> = result.record.stems.iter().map(|stem| stem.name.as_str()).collect();
        let (stems, folder) = (stems.join(", "), printable(&result.folder.display().to_string()));
        self.write(&format!("{name}: {stems} in {folder} ({timing})\n"))
    }

    /// An input, or without one the whole run, has failed. In text this is the caller's: it knows whether other lines follow.
    pub(super) fn failed(&self, input: Option<&str>, error: &CliError) {
        let category = format!("{:?}", error.category()).to_lowercase();
        let error = ErrorObject {
            reason: error.reason().map(|reason| reason.as_str()),
            category,
            exit_code: error.category() as u8,
            cause: error.cause(),
            remedy: error.remedy(),
        };
        self.json(&Line::Failed { input, error });
    }

    /// Prints an error above the bars.
    pub(super) fn print(&self, error: &CliError) {
        self.bars.suspend(|| error.print());
    }

    /// All songs have ended.
    pub(super) fn finished(&self, counts: RunCounts) {
        self.json(&Line::Finished(counts));
    }

    fn json(&self, line: &Line<'_>) {
        if !self.is_json {
            return;
        }
        // Only a map with keys that are no text fails. Where the reader has left, the stems are still written.
        if let Ok(text) = serde_json::to_string(line) {
            let _ = self.write(&format!("{text}\n"));
        }
    }

    /// Writes whole lines to standard output.
    fn write(&self, lines: &str) -> Result<(), CliError> {
        self.bars.suspend(|| {
            let mut out = io::stdout().lock();
            match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
                // The stems are written all the same, and more songs may follow.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(CliError::output(&error))
                }
                _ => Ok(()),
            }
        })
    }
}

fn done<'a>(input: &'a str, skipped: bool, result: &'a WrittenResult) -> DoneLine<'a> {
    let record = &result.record;
    let stem_paths =
        record.stems.iter().map(|stem| (&stem.name[..], result.folder.join(&stem.file)));
    DoneLine {
        input,
        skipped,
        folder: &result.folder,
        stems: stem_paths.collect(),
        seconds: record.frames as f64 / f64::from(record.sample_rate),
        sample_rate: record.sample_rate,
        models: record.engines.iter().map(|engine| &engine.model.name[..]).collect(),
        model_choice: record.model_choice.as_deref(),
        windows: record.windows.as_ref(),
        source: record.source_info.as_ref(),
        notices: &record.notices,
    }
}
