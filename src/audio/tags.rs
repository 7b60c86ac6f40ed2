//! The tags of a song: title, artist, and the like.

use serde::{Deserialize, Serialize};

use super::titles::is_invisible;

/// Characters kept of a text.
pub const MAX_CHARACTERS: usize = 256;

/// Beats per minute that are kept.
const BPM: std::ops::RangeInclusive<f64> = 1.0..=999.0;

/// Tags of a song; `None` where there is none.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceTags {
    /// Title of the song.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Artist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// Album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Artist of the album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album_artist: Option<String>,
    /// Number of the track on its album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_number: Option<u32>,
    /// Date of the recording as tagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Genre.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genre: Option<String>,
    /// Beats per minute, with two decimals at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bpm: Option<f64>,
    /// Musical key as tagged, such as `Am` or `8A`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl SourceTags {
    /// The same tags within the limits: texts of at most [`MAX_CHARACTERS`], without characters that change how the text
    /// around them is shown.
    pub fn bounded(self) -> SourceTags {
        let text = |text: Option<String>| text.and_then(|text| bounded(&text));
        SourceTags {
            title: text(self.title),
            artist: text(self.artist),
            album: text(self.album),
            album_artist: text(self.album_artist),
            track_number: self.track_number.filter(|&number| number > 0),
            date: text(self.date),
            genre: text(self.genre),
            bpm: self.bpm.and_then(rounded),
            key: text(self.key),
            comment: text(self.comment),
        }
    }
}

/// A text within the limits; `None` if nothing is left of it.
pub fn bounded(text: &str) -> Option<String> {
    let shown = |c: char| match c {
        c if c.is_whitespace() => Some(' '),
        c => (!is_invisible(c)).then_some(c),
    };
    let text: String = text.trim().chars().filter_map(shown).take(MAX_CHARACTERS).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Beats per minute with two decimals; `None` if no music has so many.
fn rounded(bpm: f64) -> Option<f64> {
    BPM.contains(&bpm).then(|| (bpm * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_plain() {
        assert_eq!(bounded("\u{1b}[31mred\r\n\u{202e}text\0 "), Some("[31mred  text".to_owned()));
        assert_eq!(bounded(" \0\u{200b}\n"), None);
        assert_eq!(bounded(&"é".repeat(1000)), Some("é".repeat(MAX_CHARACTERS)));
    }

    #[test]
    fn only_numbers_that_music_has_are_kept() {
        let bounded = |bpm, number| {
            let tags =
                SourceTags { bpm: Some(bpm), track_number: Some(number), ..SourceTags::default() };
            let tags = tags.bounded();
            (tags.bpm, tags.track_number)
        };
        assert_eq!(bounded(127.979_999, 3), (Some(127.98), Some(3)));
        assert_eq!(bounded(f64::NAN, 0), (None, None));
        assert_eq!(bounded(f64::INFINITY, 1).0, None);
        assert_eq!(bounded(0.0, 1).0, None);
    }
}
