//! The source of a session as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::audio::SourceTags;
use crate::session::manifest::{Manifest, SourceRecord};
use crate::session::source::SourceNote;

/// What an upload is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SourceView {
    /// Container.
    #[schema(example = "MP3")]
    container: String,
    /// Codec.
    #[schema(example = "MP3")]
    codec: String,
    /// Sample rate in Hz.
    sample_rate: u32,
    /// Channels before the downmix to stereo.
    channels: u32,
    /// Length at `sample_rate`, once decoded.
    frames: Option<u64>,
    /// Length in seconds, once decoded.
    duration_seconds: Option<f64>,
    /// The program that decoded it, with its version; `null` if the server did.
    decoder: Option<String>,
    /// Tags; those at the end of a file once it is decoded.
    tags: TagsView,
    /// What was converted, downmixed or lost.
    notes: Vec<SourceNoteView>,
}

/// Tags of an upload: texts of at most 256 characters, without control characters.
#[derive(Debug, Serialize, ToSchema)]
struct TagsView {
    /// Title of the song.
    title: Option<String>,
    /// Artist.
    artist: Option<String>,
    /// Album.
    album: Option<String>,
    /// Number of the track on its album.
    track_number: Option<u32>,
    /// Date of the recording as tagged, usually a year or `YYYY-MM-DD`.
    date: Option<String>,
    /// Genre.
    genre: Option<String>,
    /// Artist of the album.
    album_artist: Option<String>,
    /// Beats per minute, with two decimals at most.
    bpm: Option<f64>,
    /// Musical key as tagged, such as `Am` or `8A`.
    key: Option<String>,
    /// Comment.
    comment: Option<String>,
}

/// One way in which the audio that is separated differs from that of the upload.
#[derive(Debug, Serialize, ToSchema)]
struct SourceNoteView {
    /// The kind, a name of `SourceNoteKind` in the proto without the prefix. More may be added.
    #[schema(example = "RESAMPLED")]
    kind: &'static str,
    /// Value in the upload, where the kind has one: Hz or channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    /// Value in what is separated, where the kind has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    /// How many, where the kind is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// How it was done, where the kind can be done in several ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ITU-R BS.775")]
    method: Option<&'static str>,
}

impl SourceView {
    /// The source of the session that `manifest` is of.
    pub(super) fn of(manifest: &Manifest, source: &SourceRecord) -> SourceView {
        let frames = manifest.source_frames();
        SourceView {
            container: source.container.clone(),
            codec: source.codec.clone(),
            sample_rate: source.rate.0,
            channels: source.channels,
            frames: frames.map(|frames| frames.0),
            duration_seconds: frames.map(|frames| frames.duration(source.rate).as_secs_f64()),
            decoder: source.decoder.clone(),
            tags: tags(source.tags.clone()),
            notes: source.notes(manifest.plan.model_rate).into_iter().map(note).collect(),
        }
    }
}

fn tags(tags: SourceTags) -> TagsView {
    TagsView {
        title: tags.title,
        artist: tags.artist,
        album: tags.album,
        track_number: tags.track_number,
        date: tags.date,
        genre: tags.genre,
        album_artist: tags.album_artist,
        bpm: tags.bpm,
        key: tags.key,
        comment: tags.comment,
    }
}

fn note(note: SourceNote) -> SourceNoteView {
    let SourceNote { kind, from, to, count, method } = note;
    SourceNoteView { kind: kind.as_str(), from, to, count, method }
}
