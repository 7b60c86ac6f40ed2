//! Query options of downloads.

use std::sync::Arc;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Rest;
use super::option_names::{ChannelsName, FormatName};
use super::query::{Query, choice};
use super::song_tags::SongTags;
use crate::audio::{FileFormat, Stereo};
use crate::encode::{self, EncodeError};
use crate::server::status::ApiError;
use crate::session::Session;
use crate::session::settings::OutputChannels;

/// Options of downloads.
#[derive(Serialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only documents the options, which are parsed one by one")]
pub(super) struct DownloadParameters {
    /// Format: `wav-s16` (default), or another; `download_formats` of `GET /health` are those that this server writes.
    #[param(value_type = Option<FormatName>, inline)]
    format: Option<String>,
    /// Lower all stems by one gain where the format would clip. Default: false.
    fit: Option<bool>,
    /// Bitrate of `mp3`, `opus` and `m4a-aac` in kbit/s. Default: 256, 160 and 256, of one channel 128, 96 and 128.
    #[param(minimum = 16, maximum = 512)]
    bitrate: Option<u32>,
    /// Channels: `stereo`, or `source`: one if the song has one. Default: those of the session.
    #[param(value_type = Option<ChannelsName>, inline)]
    channels: Option<String>,
    /// Tags and cover of the song, with the stem in the title. Default: true.
    tags: Option<bool>,
}

/// The options of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct DownloadOptions {
    pub(super) format: FileFormat,
    /// Whether one gain for all stems prevents the format from clipping.
    pub(super) fit: bool,
    /// In kbit/s; `None` for that of the format.
    pub(super) bitrate: Option<u32>,
    /// `None` for those of the session.
    pub(super) channels: Option<OutputChannels>,
    /// Whether the file gets the tags of the song.
    pub(super) tags: bool,
}

impl DownloadOptions {
    /// Parses the query string.
    ///
    /// # Errors
    /// `FieldUnknown`, `Invalid`.
    pub(super) fn parse(query: Option<&str>) -> Result<DownloadOptions, ApiError> {
        DownloadOptions::of(&Query::parse(query, "format, fit, bitrate, channels, tags")?)
    }

    /// The options in a query string that may have others.
    ///
    /// # Errors
    /// `Invalid`.
    pub(super) fn of(query: &Query) -> Result<DownloadOptions, ApiError> {
        let known = format!("one of {}", FileFormat::names());
        let format = query.value("format", &known)?.unwrap_or_default();
        let fit = query.value("fit", "true or false")?.unwrap_or_default();
        let bitrate = query.value("bitrate", "a number of kbit/s")?;
        // Which bitrates there are does not depend on the channels, only the default does.
        encode::bitrate(format, Stereo::CHANNELS, bitrate)
            .map_err(|error| invalid("bitrate", &error))?;
        let known = [("stereo", OutputChannels::Stereo), ("source", OutputChannels::Source)];
        let channels = query.text("channels").map(|text| choice("channels", text, known));
        let tags = wants_tags(query)?;
        Ok(DownloadOptions { format, fit, bitrate, channels: channels.transpose()?, tags })
    }

    /// The tags of the song, if they are wanted.
    ///
    /// # Errors
    /// The server has a defect.
    pub(super) async fn song_tags(
        self,
        rest: &Rest,
        session: &Arc<Session>,
    ) -> Result<Option<SongTags>, ApiError> {
        match self.tags {
            true => SongTags::read(rest, session).await.map(Some),
            false => Ok(None),
        }
    }
}

/// The option `tags`.
///
/// # Errors
/// `Invalid`.
pub(super) fn wants_tags(query: &Query) -> Result<bool, ApiError> {
    Ok(query.value("tags", "true or false")?.unwrap_or(true))
}

/// The error of an option that cannot be met.
pub(super) fn invalid(field: &'static str, error: &EncodeError) -> ApiError {
    match *error {
        EncodeError::FfmpegMissing { format } => ApiError::FfmpegMissing { format },
        _ => ApiError::Invalid { field, problem: error.to_string() },
    }
}
