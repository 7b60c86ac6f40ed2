//! Output of commands: text on standard output, and progress bars on standard error.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};

use super::error::CliError;
use crate::model::registry::pull::DownloadStep;

/// Writes to standard output.
///
/// # Errors
/// Standard output is closed or full.
pub(super) fn write(text: &str) -> Result<(), CliError> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| CliError::output(&error))
}

/// Writes raw PCM to standard output, where it can be read at once.
///
/// # Errors
/// Standard output is closed or full.
pub(super) fn write_pcm(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| CliError::output(&error))
}

/// A progress bar for so many frames.
pub(super) fn frame_bar(frames: u64) -> ProgressBar {
    let bar = ProgressBar::new(frames);
    let style = ProgressStyle::with_template("{msg} [{bar:24}] {percent} %");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// A progress bar for a download of so many bytes.
pub(super) fn download_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec}";
    let style = ProgressStyle::with_template(style);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Shows the progress of `work`, which fetches files.
pub(super) fn with_progress<T, E>(
    work: impl FnOnce(&mut dyn FnMut(DownloadStep<'_>)) -> Result<T, E>,
) -> Result<T, E> {
    let bar = download_bar(0);
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
