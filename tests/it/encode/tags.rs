//! Tags and covers of files of every format, as FFmpeg and this program read them. Samples are the same with and without.

use std::io::Cursor;

use crate::support::decode;
use crate::support::ffmpeg::{Workshop, ffmpeg};
use stemwire::audio::{Cover, FileFormat, Frames, Hertz, SourceTags, Stereo};
use stemwire::encode::ni_stems::{NiStemCodec, NiStemPlan, NiStemsEncoder};
use stemwire::encode::pcm_file::PcmFile;
use stemwire::encode::{FileSpec, FileTags, Output, encoder};

/// An odd number: mono files of 24 bits are padded.
const FRAMES: usize = 9_001;

fn song() -> SourceTags {
    let text = |text: &str| Some(text.to_owned());
    SourceTags {
        title: text("Café = 7\\ways; #1"),
        artist: text("Ann"),
        album: text("Sea"),
        album_artist: text("Various"),
        track_number: Some(3),
        date: text("1987-05-01"),
        genre: text("Jazz"),
        bpm: Some(127.5),
        key: text("Am"),
        comment: text("live"),
    }
}

/// A picture that decoders accept.
fn picture(workshop: &Workshop, name: &str) -> Vec<u8> {
    workshop.make("color=c=red:s=33x17", "-frames:v 1 -q:v 2", name)
}

fn audio() -> Stereo {
    let plane = |step: usize| (0..FRAMES).map(|i| ((i * step) as f32 * 0.01).sin() * 0.5).collect();
    Stereo::from_planes(plane(3), plane(5)).unwrap()
}

fn write(workshop: &Workshop, name: &str, spec: &FileSpec, as_stream: bool) -> Vec<u8> {
    let path = workshop.path(name);
    let output = match as_stream {
        true => Output::Stream(Box::new(std::fs::File::create(&path).unwrap())),
        false => Output::create(&path).unwrap(),
    };
    let ffmpeg = ffmpeg();
    let mut file = encoder(spec, output, Some(&ffmpeg)).unwrap();
    file.write(&audio()).unwrap();
    file.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// The tags that FFmpeg reads, as lines of `name=value`.
fn metadata(workshop: &Workshop, name: &str) -> Vec<String> {
    // Those of Ogg belong to its stream.
    let of = if name.ends_with("opus") { "0:s:0" } else { "0" };
    let arguments = ["-i", name, "-map_metadata", of, "-f", "ffmetadata", "-"];
    let output = workshop.must(&arguments).stdout;
    let text = String::from_utf8(output).unwrap();
    text.lines().map(|line| line.replace('\\', "")).map(|line| line.to_lowercase()).collect()
}

fn read_cover(file: &[u8]) -> Option<Cover> {
    Cover::read(Cursor::new(file), file.len() as u64).unwrap()
}

fn read_tags(file: &[u8]) -> SourceTags {
    SourceTags::read(Cursor::new(file), file.len() as u64)
}

#[track_caller]
fn check(format: FileFormat, channels: usize, cover: &str) {
    let workshop = Workshop::new();
    let picture = picture(&workshop, cover);
    let cover = Some(Cover::new(&picture).unwrap());
    let tags = FileTags::new(&song(), "song.mp3", Some("vocals"), cover.clone());
    let plain = FileSpec {
        format,
        channels,
        rate: Hertz(44_100),
        frames: Frames(FRAMES as u64),
        bitrate: None,
        dither_seed: 1,
        tags: None,
    };
    let spec = FileSpec { tags: Some(tags), ..plain.clone() };
    let extension = format.extension();
    let (tagged, untagged) = (format!("tagged.{extension}"), format!("plain.{extension}"));
    write(&workshop, &untagged, &plain, false);
    let bytes = write(&workshop, &tagged, &spec, false);
    let row = format!("{} {channels}", format.name());

    let of = |name: &str| workshop.stereo(name, channels, "-map 0:a");
    assert!(of(&tagged) == of(&untagged), "{row}");
    assert!(decode(&bytes).unwrap().report.is_clean(), "{row}");
    if PcmFile::is_of(format) {
        assert_eq!(PcmFile::new(&spec).unwrap().size(), bytes.len() as u64, "{row}");
        let size = [bytes[4], bytes[5], bytes[6], bytes[7]];
        let size =
            if extension == "wav" { u32::from_le_bytes(size) } else { u32::from_be_bytes(size) };
        assert_eq!(size as usize, bytes.len() - 8, "{row}");
    }
    let streamed = write(&workshop, "streamed", &spec, true);
    assert_eq!(streamed.len(), bytes.len(), "{row}");

    let title = "Café = 7\\ways; #1 (vocals)";
    let found = metadata(&workshop, &tagged);
    // Of the two lists of a WAV file, FFmpeg reads the one that has no names for more.
    let is_wav = extension == "wav";
    let count = if is_wav { 7 } else { 10 };
    for (names, value) in [
        (["title", "title"], "café = 7ways; #1 (vocals)"),
        (["artist", "artist"], "ann"),
        (["album", "album"], "sea"),
        (["track", "tracknumber"], "3"),
        (["date", "date"], "1987-05-01"),
        (["genre", "genre"], "jazz"),
        (["comment", "comment"], "live"),
        (["album_artist", "albumartist"], "various"),
        (["bpm", "tbpm"], "127.5"),
        (["initialkey", "tkey"], "am"),
    ]
    .into_iter()
    .take(count)
    {
        let lines = names.map(|name| format!("{name}={value}"));
        assert!(found.iter().any(|line| lines.contains(line)), "{row}: {lines:?} in {found:#?}");
    }
    if !is_wav {
        let copied = ["-i", &tagged, "-map", "0:v", "-c", "copy", "-f", "image2pipe", "-"];
        let shown = workshop.must(&copied).stdout;
        assert!(shown == picture, "{row}: {} bytes", shown.len());
    }

    let own = read_tags(&bytes);
    assert_eq!(own, SourceTags { title: Some(title.to_owned()), ..song() }, "{row}");
    assert_eq!(read_cover(&bytes), cover, "{row}");
}

#[test]
fn every_format_has_tags_and_cover() {
    for format in FileFormat::ALL {
        if cfg!(feature = "mp3") || format != FileFormat::Mp3 {
            check(format, 2, "cover.jpg");
        }
    }
    for format in [FileFormat::WavS24, FileFormat::Aiff, FileFormat::Flac] {
        check(format, 1, "cover.png");
    }
}

#[test]
fn an_ni_stem_file_has_the_tags_of_the_song() {
    let workshop = Workshop::new();
    let picture = picture(&workshop, "cover.png");
    let cover = Some(Cover::new(&picture).unwrap());
    let names = ["drums", "bass", "other", "vocals"].map(|name| name.parse().unwrap());
    let plan = NiStemPlan::of(&names).unwrap();
    let tags = FileTags::new(&song(), "song.mp3", None, cover.clone());
    let output = Output::create(&workshop.path("song.stem.mp4")).unwrap();
    let mut file =
        NiStemsEncoder::start(plan, Hertz(44_100), NiStemCodec::Alac, Some(tags), output).unwrap();
    file.write(&[audio(), audio(), audio(), audio()]).unwrap();
    file.finish().unwrap();
    let bytes = std::fs::read(workshop.path("song.stem.mp4")).unwrap();
    assert_eq!(read_tags(&bytes), song());
    assert_eq!(read_cover(&bytes), cover);
    let found = metadata(&workshop, "song.stem.mp4");
    assert!(found.contains(&"artist=ann".to_owned()), "{found:#?}");
    // Between the user data of DJ software and the tags, neither hides the other.
    assert!(bytes.windows(4).any(|part| part == b"stem"));
}
