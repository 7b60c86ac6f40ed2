//! How stems become files.

use super::output_format::OutputFormat;
use crate::encode::Ffmpeg;
use crate::session::settings::OutputChannels;

/// How stems become files.
#[derive(Debug, Clone)]
pub(in crate::cli::separate) struct FileOptions {
    pub(in crate::cli::separate) format: OutputFormat,
    /// In kbit/s; `None` for the default of a lossy format.
    pub(in crate::cli::separate) bitrate: Option<u32>,
    pub(in crate::cli::separate) channels: OutputChannels,
    /// Whether all stems get one gain so that none clips; without, clipped samples are counted and reported.
    pub(in crate::cli::separate) fit: bool,
    /// Whether files get the tags and the cover of the song.
    pub(in crate::cli::separate) tags: bool,
    /// Whether files that are no result of this song and these settings are replaced.
    pub(in crate::cli::separate) force: bool,
    /// FFmpeg, if the format needs it and there is one.
    pub(in crate::cli::separate) ffmpeg: Option<Ffmpeg>,
}

/// What the user should know of a gain.
pub(super) fn gain_notice(gain: f32) -> Option<String> {
    let decibels = 20.0 * f64::from(gain).log10();
    (gain < 1.0).then(|| format!("all stems have a gain of {decibels:.2} dB, so that none clips"))
}
