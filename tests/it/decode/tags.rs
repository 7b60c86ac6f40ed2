//! Tags that FFmpeg writes, whole, in part, and broken.

use std::io::Cursor;

use stemwire::audio::cover::MAX_COVER_BYTES;
use stemwire::audio::{Cover, CoverError, SourceTags};

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mutate::{Random, mutate};

/// Broken files per format.
const MUTATIONS: u64 = 500;

const TAGS: &str = "-metadata title=Café -metadata artist=Ann -metadata album=Sea -metadata track=3/12 \
                    -metadata date=1987 -metadata genre=Jazz -metadata comment=live \
                    -metadata album_artist=Various -metadata TBPM=127.5 -metadata TKEY=Am";

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
    // The others have no such fields, or FFmpeg does not write them.
    let (is_id3, is_matroska) =
        (["v24.mp3", "v23.mp3", "a.aiff"].contains(&name), ["a.mka", "a.webm"].contains(&name));
    let has_album_artist = ![V1, "a.wav"].contains(&name);
    SourceTags {
        album_artist: has_album_artist.then(|| "Various".into()),
        bpm: (is_id3 || is_matroska).then_some(127.5),
        key: (is_id3 || is_matroska).then(|| "Am".into()),
        // FFmpeg writes none that are comments for others.
        comment: (!name.ends_with(".mp3") || name == V1).then(|| "live".into()),
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

/// A small picture, with the beginning of a JPEG.
fn picture(bytes: usize) -> Vec<u8> {
    [&b"\xff\xd8\xff\xe0"[..], &vec![0x5a; bytes]].concat()
}

fn read_cover(bytes: &[u8]) -> Result<Option<Cover>, CoverError> {
    Cover::read(Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn the_cover_of_every_format_is_read() {
    let workshop = Workshop::new();
    let cover = workshop.make("color=c=blue:s=20x20", "-frames:v 1", "cover.jpg");
    let other = workshop.make("color=c=green:s=20x20", "-frames:v 1", "other.png");
    let attached = "-c:v copy -disposition:v attached_pic";
    for (codec, name) in [("libmp3lame", "a.mp3"), ("flac", "a.flac"), ("aac", "a.m4a")] {
        let arguments = format!(
            "-f lavfi -i {} -i other.png -i cover.jpg -map 0:a -map 1 -map 2 -c:a {codec} {attached} \
             -metadata:s:v:0 comment=Other -metadata:s:v:1 comment=Cover_(front) {name}",
            signal(44_100, 2, 0.5)
        );
        let arguments = arguments.replace("Cover_(front)", "Cover\u{a0}(front)");
        let arguments: Vec<String> =
            arguments.split_ascii_whitespace().map(|of| of.replace('\u{a0}', " ")).collect();
        workshop.must(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let file = std::fs::read(workshop.path(name)).unwrap();
        // Pictures of MP4 have no type.
        let expected = if name == "a.m4a" { &other } else { &cover };
        assert_eq!(read_cover(&file), Ok(Cover::new(expected).ok()), "{name}");
        assert_eq!(read(&file), SourceTags::default(), "{name}");
    }
    let signal = signal(44_100, 2, 0.5);
    workshop.must(&[
        "-f",
        "lavfi",
        "-i",
        &signal,
        "-attach",
        "other.png",
        "-metadata:s:t:0",
        "mimetype=image/png",
        "-attach",
        "cover.jpg",
        "-metadata:s:t:1",
        "mimetype=image/jpeg",
        "-c:a",
        "flac",
        "a.mka",
    ]);
    let file = std::fs::read(workshop.path("a.mka")).unwrap();
    assert_eq!(read_cover(&file), Ok(Cover::new(&cover).ok()));
}

/// A file with these ID3v2.4 frames, with their sizes as they are stated.
fn with_frames(frames: &[(&[u8; 4], u32, Vec<u8>)]) -> Vec<u8> {
    let synchsafe = |size: u32| [21, 14, 7, 0].map(|shift| (size >> shift) as u8 & 0x7f);
    let frames = frames
        .iter()
        .map(|(name, size, content)| [&name[..], &synchsafe(*size), &[0, 0], content].concat());
    let frames = frames.collect::<Vec<_>>().concat();
    let workshop = Workshop::new();
    let mp3 = workshop.make(&signal(44_100, 2, 0.2), "-c:a libmp3lame -id3v2_version 0", "a.mp3");
    [&b"ID3\x04\0\0"[..], &synchsafe(frames.len() as u32), &frames, &mp3].concat()
}

fn text_frame(name: &'static [u8; 4], text: &[u8]) -> (&'static [u8; 4], u32, Vec<u8>) {
    let content = [&[3], text].concat();
    (name, content.len() as u32, content)
}

fn picture_frame(picture: &[u8]) -> (&'static [u8; 4], u32, Vec<u8>) {
    let content = [&b"\0image/jpeg\0\x03\0"[..], picture].concat();
    (b"APIC", content.len() as u32, content)
}

#[test]
fn long_and_invisible_texts_are_cut_and_cleaned() {
    let long = "é".repeat(500_000);
    let file = with_frames(&[
        text_frame(b"TIT2", long.as_bytes()),
        text_frame(b"TPE1", b"A\0\x1b[31mB\r\n\x7f"),
        text_frame(b"TBPM", b"1e999"),
        text_frame(b"TKEY", b"\0\0\0"),
        text_frame(b"TRCK", b"-3/99999999999999"),
    ]);
    let tags = read(&file);
    assert_eq!(tags.title, Some("é".repeat(256)));
    assert_eq!(tags.artist.as_deref().map(|text| text.contains(char::is_control)), Some(false));
    assert_eq!((tags.bpm, tags.key, tags.track_number), (None, None, None));
}

#[test]
fn data_of_programs_are_no_comments() {
    let comment = |description: &str, text: &str| {
        let content = format!("\u{3}eng{description}\0{text}").into_bytes();
        (b"COMM", content.len() as u32, content)
    };
    let file = with_frames(&[comment("iTunSMPB", " 00000000 00000840"), comment("", "mine")]);
    assert_eq!(read(&file).comment.as_deref(), Some("mine"));
}

#[test]
fn a_cover_that_is_too_large_or_lies_is_left_out() {
    let title = text_frame(b"TIT2", b"Song");
    let small = picture(1000);
    let with = |frame| with_frames(&[title.clone(), frame]);
    assert_eq!(read_cover(&with(picture_frame(&small))), Ok(Cover::new(&small).ok()));
    for bytes in [MAX_COVER_BYTES, 5 << 20] {
        let error = read_cover(&with(picture_frame(&picture(bytes)))).unwrap_err();
        assert_eq!(error, CoverError::TooLarge(bytes + 4));
    }
    let large = with(picture_frame(&picture(30_000_000)));
    assert!(read_cover(&large).is_err());
    assert_eq!(read(&large).title.as_deref(), Some("Song"));
    let of_unknown_type = with(picture_frame(b"GIF89a"));
    assert_eq!(read_cover(&of_unknown_type), Err(CoverError::UnknownType));
    // Beyond the tag and the file.
    let (name, _, content) = picture_frame(&small);
    let lying = with((name, 0x0fff_ffff, content));
    let found = read_cover(&lying).unwrap_or_default();
    assert!(found.is_none_or(|cover| cover.bytes().len() <= lying.len()));
    assert_eq!(read(&lying).title.as_deref(), Some("Song"));
}

#[test]
fn a_picture_of_flac_whose_length_lies_is_left_out() {
    let workshop = Workshop::new();
    let cover = workshop.make("color=c=blue:s=20x20", "-frames:v 1", "cover.jpg");
    let signal = signal(44_100, 2, 0.2);
    let input = ["-f", "lavfi", "-i", &signal, "-i", "cover.jpg", "-map", "0:a", "-map", "1"];
    let output =
        ["-c:v", "copy", "-disposition:v", "attached_pic", "-metadata", "title=Song", "a.flac"];
    workshop.must(&[&input[..], &output].concat());
    let mut file = std::fs::read(workshop.path("a.flac")).unwrap();
    assert!(matches!(read_cover(&file), Ok(Some(_))));
    let at = file.windows(cover.len()).position(|part| part == cover).unwrap();
    file[at - 4..at].copy_from_slice(&0xffff_fff0_u32.to_be_bytes());
    assert!(!matches!(read_cover(&file), Ok(Some(_))));
    assert_eq!(read(&file).title.as_deref(), Some("Song"));
}

#[test]
fn broken_covers_do_no_harm() {
    let mut random = Random(7);
    let file = with_frames(&[text_frame(b"TIT2", b"Song"), picture_frame(&picture(3000))]);
    for _ in 0..MUTATIONS {
        let cover = read_cover(&mutate(&file, &mut random));
        assert!(cover.ok().flatten().is_none_or(|cover| cover.bytes().len() <= file.len()));
    }
}
