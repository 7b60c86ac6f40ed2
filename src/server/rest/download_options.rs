//! Query options of downloads.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::query::Query;
use crate::audio::{Encoding, FileFormat, Stereo};
use crate::encode::{self, EncodeError};
use crate::server::status::ApiError;

/// Options of downloads.
#[derive(Serialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only documents the options, which are parsed one by one")]
pub(super) struct DownloadParameters {
    /// Format: `wav-s16` (default), or another of `download_formats` of `GET /health`.
    format: Option<String>,
    /// Lower all stems by one gain where the format would clip. Default: false.
    fit: Option<bool>,
    /// Bitrate of `mp3`, `opus` and `m4a-aac` in kbit/s. Default: 256, 160 and 256.
    bitrate: Option<u32>,
}

/// The options of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DownloadOptions {
    pub(super) format: FileFormat,
    /// Whether one gain for all stems prevents the format from clipping.
    pub(super) fit: bool,
    /// In kbit/s; `None` for formats without loss.
    pub(super) bitrate: Option<u32>,
}

impl DownloadOptions {
    /// Parses the query string.
    ///
    /// # Errors
    /// `FieldUnknown`, `Invalid`.
    pub(super) fn parse(query: Option<&str>) -> Result<DownloadOptions, ApiError> {
        DownloadOptions::of(&Query::parse(query, "format, fit, bitrate")?)
    }

    /// The options in a query string that may have others.
    ///
    /// # Errors
    /// `Invalid`.
    pub(super) fn of(query: &Query) -> Result<DownloadOptions, ApiError> {
        let known = format!("one of {}", FileFormat::names());
        let format = query.value("format", &known)?.unwrap_or_default();
        let fit = query.value("fit", "true or false")?.unwrap_or_default();
        let wanted = query.value("bitrate", "a number of kbit/s")?;
        let bitrate = encode::bitrate(format, Stereo::CHANNELS, wanted)
            .map_err(|error| invalid("bitrate", &error))?;
        Ok(DownloadOptions { format, fit, bitrate })
    }

    /// What the bytes of a file depend on besides the samples and their gain: another release may encode otherwise.
    pub(super) fn form(self) -> String {
        let name = self.format.name();
        match self.bitrate {
            Some(kbits) => format!("{name}-{kbits}-{}", env!("CARGO_PKG_VERSION")),
            None if self.format.is_flac() => format!("{name}-{}", env!("CARGO_PKG_VERSION")),
            // Files of 16 bits had no dither in 0.1.0.
            None if self.format.encoding() == Encoding::S16Le => format!("{name}-dither"),
            None => name.to_owned(),
        }
    }
}

/// The error of an option that cannot be met.
pub(super) fn invalid(field: &'static str, error: &EncodeError) -> ApiError {
    match *error {
        EncodeError::FfmpegMissing { format } => ApiError::FfmpegMissing { format },
        _ => ApiError::Invalid { field, problem: error.to_string() },
    }
}
