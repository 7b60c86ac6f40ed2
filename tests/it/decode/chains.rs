//! Concatenated files.

use crate::support::decode;
use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mutate::mend_ogg;
use stemwire::audio::Hertz;
use stemwire::decode::DecodeError;

/// A file of 44.1 kHz stereo, the same again, and one of 22.05 kHz mono.
const FORMATS: [(&str, &str); 7] = [
    ("mkv", "-c:a libmp3lame -b:a 64k"),
    ("wav", "-c:a pcm_s16le"),
    ("w64", "-c:a pcm_s16le"),
    ("flac", "-c:a flac"),
    ("mp3", "-c:a libmp3lame -b:a 64k"),
    ("ogg", "-c:a libvorbis"),
    ("oga", "-c:a flac"),
];

#[test]
fn the_next_link_plays_on() {
    let workshop = Workshop::new();
    for (ending, arguments) in FORMATS {
        let first = workshop.make(&signal(44_100, 2, 1.1), arguments, &format!("1.{ending}"));
        let second = workshop.make(&signal(22_050, 1, 0.7), arguments, &format!("2.{ending}"));
        let (one, two) = (decode(&first).unwrap(), decode(&second).unwrap());
        let chain = decode(&[&first[..], &first, &second].concat()).unwrap();
        assert_eq!(chain.report.links, 3, "{ending}");
        assert!(chain.report.is_clean(), "{ending}: {:?}", chain.report);
        assert_eq!(chain.source, one.source, "{ending}");
        let mut twice = one.only().clone();
        twice.extend(one.only());
        assert_eq!(chain.runs.len(), 2, "{ending}");
        assert!(chain.runs[0] == (Hertz(44_100), twice), "{ending}: the first two links");
        assert!(chain.runs[1] == two.runs[0], "{ending}: the third link");
    }
}

#[test]
fn an_mp3_may_change_its_rate_without_a_tag() {
    let workshop = Workshop::new();
    let bare = "-c:a libmp3lame -b:a 64k -write_xing 0 -id3v2_version 0";
    let first = workshop.make(&signal(44_100, 2, 1.0), bare, "1.mp3");
    let second = workshop.make(&signal(48_000, 2, 1.0), bare, "2.mp3");
    let third = workshop.make(&signal(48_000, 1, 1.0), bare, "3.mp3");
    let chain = decode(&[&first[..], &second, &third].concat()).unwrap();
    let rates: Vec<_> = chain.runs.iter().map(|run| run.0.0).collect();
    assert_eq!((chain.report.links, rates), (3, vec![44_100, 48_000]));
    let [one, two, three] = [first, second, third].map(|bytes| decode(&bytes).unwrap());
    let mut both = two.only().clone();
    both.extend(three.only());
    assert!(chain.runs[0] == one.runs[0] && chain.runs[1].1 == both);
}

#[test]
fn a_link_that_is_not_taken_ends_the_decoding() {
    let workshop = Workshop::new();
    let first = workshop.make(&signal(44_100, 2, 1.1), "-c:a libvorbis", "1.ogg");
    let mut second = workshop.make(&signal(48_000, 2, 1.1), "-c:a libopus", "2.ogg");
    second[28..36].copy_from_slice(b"Speex   ");
    mend_ogg(&mut second);
    let error = decode(&[first, second].concat()).unwrap_err();
    assert!(
        matches!(&error, DecodeError::UnsupportedCodec { codec, .. } if codec == "Speex"),
        "{error}"
    );
}

#[test]
fn an_opus_file_may_follow_another() {
    let workshop = Workshop::new();
    let first = workshop.make(&signal(48_000, 2, 1.1), "-c:a libopus", "1.opus");
    let second = workshop.make(&signal(48_000, 1, 0.7), "-c:a libopus", "2.opus");
    let chain = decode(&[&first[..], &second].concat()).unwrap();
    let mut both = decode(&first).unwrap().only().clone();
    both.extend(decode(&second).unwrap().only());
    assert_eq!(chain.report.links, 2);
    assert!(chain.only() == &both);
}
