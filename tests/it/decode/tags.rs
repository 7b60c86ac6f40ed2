//! Tags that FFmpeg writes, whole, in part, and broken.

use std::io::Cursor;

use stemwire::decode::SourceTags;

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mutate::{Random, mutate};

/// Broken files per format.
const MUTATIONS: u64 = 500;

const TAGS: &str = "-metadata title=Café -metadata artist=Ann -metadata album=Sea -metadata track=3/12 \
                    -metadata date=1987 -metadata genre=Jazz";

/// FFmpeg writes ID3v1 only beside ID3v2, which is cut off.
const V1: &str = "v1.mp3";

/// Arguments, name, and whether the tags are within the first bytes of the file.
const FILES: [(&str, &str, bool); 12] = [
    ("-c:a libmp3lame -id3v2_version 4", "v24.mp3", true),
    ("-c:a libmp3lame -id3v2_version 3", "v23.mp3", true),
    ("-c:a libmp3lame -id3v2_version 3 -write_id3v1 1", V1, false),
    ("-c:a flac", "a.flac", true),
    ("-c:a libvorbis", "vorbis.ogg", true),
    ("-c:a libopus", "opus.ogg", true),
    ("-c:a aac", "last.m4a", false),
    ("-c:a aac -movflags +faststart", "first.m4a", true),
    ("-c:a pcm_s16le", "a.wav", true),
    ("-c:a pcm_s16be -write_id3v2 1", "a.aiff", false),
    ("-c:a flac", "a.mka", true),
    ("-c:a libopus", "a.webm", true),
];

fn read(bytes: &[u8]) -> SourceTags {
    SourceTags::read(Cursor::new(bytes), bytes.len() as u64)
}

fn files() -> impl Iterator<Item = (&'static str, Vec<u8>, bool)> {
    let workshop = Workshop::new();
    FILES.into_iter().map(move |(arguments, name, is_first)| {
        // ID3v1 has no encoding beside Latin-1, and FFmpeg writes UTF-8.
        let tags = if name == V1 { &TAGS.replace('é', "e") } else { TAGS };
        let mut file = workshop.make(&signal(44_100, 2, 0.5), &format!("{arguments} {tags}"), name);
        if name == V1 {
            let size = file[6..10].iter().fold(0, |size, &byte| size << 7 | usize::from(byte));
            file.drain(..10 + size);
        }
        (name, file, is_first)
    })
}

fn expected(name: &str) -> SourceTags {
    let title = if name == V1 { "Cafe" } else { "Café" };
    SourceTags {
        title: Some(title.into()),
        artist: Some("Ann".into()),
        album: Some("Sea".into()),
        track_number: Some(3),
        date: Some("1987".into()),
        genre: Some("Jazz".into()),
    }
}

#[test]
fn tags_of_every_format_are_read() {
    for (name, file, _) in files() {
        assert_eq!(read(&file), expected(name), "{name}");
    }
}

#[test]
fn tags_at_the_beginning_are_read_before_the_rest_is_there() {
    for (name, file, is_first) in files() {
        let so_far = SourceTags::read(Cursor::new(&file), file.len() as u64 * 3 / 4);
        // AIFF has the title in front and the rest behind.
        assert_eq!(so_far == expected(name), is_first, "{name}: {so_far:?}");
    }
}

#[test]
fn broken_tags_do_no_harm() {
    for (name, file, _) in files() {
        let mut random = Random(file.len() as u64);
        for _ in 0..MUTATIONS {
            let tags = read(&mutate(&file, &mut random));
            assert_eq!(tags.clone().bounded(), tags, "{name}");
        }
    }
}
