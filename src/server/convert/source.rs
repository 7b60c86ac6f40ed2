//! The source of a session as wire types.

use crate::audio::SourceTags;
use crate::proto;
use crate::session::Manifest;
use crate::session::source::{SourceNote, SourceRecord};

/// The source of the session that `manifest` is of.
pub(super) fn source(manifest: &Manifest, source: &SourceRecord) -> proto::Source {
    let frames = manifest.source_frames();
    proto::Source {
        container: source.container.clone(),
        codec: source.codec.clone(),
        sample_rate: source.rate.0,
        channels: source.channels,
        frames: frames.unwrap_or_default().0,
        damaged_frames: source.damaged.0,
        output_sample_rate: source.output_rate.0,
        decoder: source.decoder.clone().unwrap_or_default(),
        duration_seconds: frames.map_or(0.0, |of| of.duration(source.rate).as_secs_f64()),
        notes: source.notes(manifest.plan.model_rate).iter().map(note).collect(),
        tags: Some(&source.tags).filter(|of| **of != SourceTags::default()).map(tags),
    }
}

fn note(note: &SourceNote) -> proto::SourceNote {
    proto::SourceNote {
        kind: note.kind as i32,
        from: note.from.unwrap_or_default(),
        to: note.to.unwrap_or_default(),
        count: note.count.unwrap_or_default(),
        method: note.method.unwrap_or_default().to_owned(),
    }
}

fn tags(tags: &SourceTags) -> proto::SourceTags {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    proto::SourceTags {
        title: text(&tags.title),
        artist: text(&tags.artist),
        album: text(&tags.album),
        track_number: tags.track_number.unwrap_or_default(),
        date: text(&tags.date),
        genre: text(&tags.genre),
        album_artist: text(&tags.album_artist),
        bpm: tags.bpm.unwrap_or_default(),
        key: text(&tags.key),
        comment: text(&tags.comment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::source::SourceNoteKind;

    #[test]
    fn kinds_have_the_numbers_and_names_of_the_proto() {
        for kind in SourceNoteKind::ALL {
            let wire = proto::SourceNoteKind::try_from(kind as i32).unwrap();
            assert_eq!(wire.as_str_name(), format!("SOURCE_NOTE_KIND_{}", kind.as_str()));
        }
        assert!(proto::SourceNoteKind::try_from(SourceNoteKind::ALL.len() as i32 + 1).is_err());
    }
}
