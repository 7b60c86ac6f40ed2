//! The list of tags that FFmpeg writes (`-f ffmetadata`), of files whose tags nothing else here reads.

use super::{decimal, number};
use crate::audio::SourceTags;
use crate::audio::tags::bounded;

/// Texts that are read of a list.
const MAX_TEXTS: usize = 1000;

impl SourceTags {
    /// The tags in FFmpeg's list; those of streams and chapters are left out.
    pub fn listed_by_ffmpeg(list: &str) -> SourceTags {
        let texts = texts(list);
        let find = |names: &[&str]| {
            let mut found = names.iter().flat_map(|name| {
                texts.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            });
            found.find_map(|(_, text)| bounded(text))
        };
        let tags = SourceTags {
            title: find(&["title"]),
            artist: find(&["artist", "author"]),
            // AVI calls it a product.
            album: find(&["album", "product"]),
            album_artist: find(&["album_artist", "albumartist"]),
            track_number: find(&["track", "track number"]).and_then(number),
            date: find(&["date", "year", "recorded date"]),
            genre: find(&["genre"]),
            bpm: find(&["TBPM", "BPM", "WM/BeatsPerMinute", "tempo"]).and_then(decimal),
            key: find(&["TKEY", "initialkey", "initial_key", "WM/InitialKey", "key signature"]),
            comment: find(&["comment", "comments"]),
        };
        tags.bounded()
    }
}

/// Names and texts in front of the first section. `\` escapes the character behind it, also the end of a line.
fn texts(list: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let (mut name, mut word) = (None, String::new());
    let mut characters = list.chars();
    while let Some(character) = characters.next()
        && texts.len() < MAX_TEXTS
    {
        match character {
            '\\' => word.extend(characters.next()),
            '=' if name.is_none() => name = Some(std::mem::take(&mut word)),
            '\n' => {
                let text = std::mem::take(&mut word);
                match name.take() {
                    Some(name) => texts.push((name, text)),
                    None if text.starts_with('[') => return texts,
                    None => {}
                }
            }
            _ => word.push(character),
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_front_of_the_sections_are_read() {
        let list = ";FFMETADATA1\nTITLE=Ça\\; ira\\=1\nartist=Ann=Bea\ncomment=a\\\nb\ntrack=3/12\nTBPM=127,5\n\
                    WM/InitialKey=Am\nproduct=Sea\n[STREAM]\ndate=1987\n[CHAPTER]\ntitle=Intro\n";
        let text = |text: &str| Some(text.to_owned());
        let expected = SourceTags {
            title: text("Ça; ira=1"),
            artist: text("Ann=Bea"),
            album: text("Sea"),
            track_number: Some(3),
            bpm: Some(127.5),
            key: text("Am"),
            ..SourceTags::default()
        };
        let tags = SourceTags::listed_by_ffmpeg(list);
        assert_eq!(
            tags.comment.as_deref().map(|text| text.contains(char::is_control)),
            Some(false)
        );
        assert_eq!(SourceTags { comment: None, ..tags }, expected);
    }

    #[test]
    fn what_is_no_list_has_no_tags() {
        for list in ["", "title", "title=x", "=\n", "\\", "[STREAM]\ntitle=x\n", "\0\n\u{fffd}=\n"]
        {
            assert_eq!(SourceTags::listed_by_ffmpeg(list), SourceTags::default(), "{list:?}");
        }
    }
}
