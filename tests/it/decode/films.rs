//! Films: files with pictures and one or more audio tracks.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::track::track;
use crate::support::compare::stereo_snr_db;
use crate::support::environment::{FakeEngine, TestEnvironment, cards};
use crate::support::ffmpeg::{Workshop, program, signal};
use crate::support::pipeline::{begin, stem, wav};
use crate::support::{Decoded, decode, decode_upload, uploads};
use stemwire::audio::{Hertz, Stereo};
use stemwire::decode::{AudioTrack, DecodeError, DecodeLimits, Decoder, Input};
use stemwire::proto::reason::ErrorReason;
use stemwire::session::{Session, Settings};

const RATE: u32 = 48_000;
const SECONDS: f64 = 0.9;

/// By how much late audio begins after the pictures.
const LATE_S: f64 = 0.7;

const PICTURES: [&str; 4] = ["-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=25"];

/// A film with two audio tracks: stereo, and mono.
fn two_tracks(workshop: &Workshop, name: &str, video: &str, codecs: [&str; 2]) -> Vec<u8> {
    let (first, second) = (signal(RATE, 2, SECONDS), signal(RATE, 1, 1.3));
    let inputs = ["-f", "lavfi", "-i", &first, "-f", "lavfi", "-i", &second];
    let maps = ["-map", "0", "-map", "1", "-map", "2", "-bitexact"];
    let codecs = ["-c:v", video, "-c:a:0", codecs[0], "-c:a:1", codecs[1], name];
    workshop.must(&[&PICTURES[..], &inputs, &maps, &codecs].concat());
    std::fs::read(workshop.path(name)).unwrap()
}

/// A film whose audio begins late.
fn late(workshop: &Workshop, name: &str, arguments: &str) -> Vec<u8> {
    let (sound, offset) = (signal(RATE, 2, SECONDS), LATE_S.to_string());
    let sound = ["-itsoffset", &offset, "-f", "lavfi", "-i", &sound, "-bitexact"];
    let outputs: Vec<&str> = arguments.split(' ').chain([name]).collect();
    workshop.must(&[&PICTURES[..], &sound, &outputs].concat());
    std::fs::read(workshop.path(name)).unwrap()
}

/// FFmpeg's decoding of a late track, from the beginning of the pictures.
fn late_by_ffmpeg(workshop: &Workshop, name: &str) -> Stereo {
    let audio = workshop.stereo(name, 2, "-map 0:a:0 -af aresample=first_pts=0");
    // It is a witness only if it begins with silence.
    let silent = audio.left().iter().take_while(|sample| sample.abs() < 1e-3).count() as f64;
    assert!((silent / f64::from(RATE) - LATE_S).abs() < 0.03, "{name}: {silent} frames");
    audio
}

fn decode_track(bytes: &[u8], number: u32) -> Result<Decoded, DecodeError> {
    decode_upload(uploads::complete(bytes), &Input::Track(NonZero::new(number).unwrap()))
}

/// Compares but for the padding of a last packet.
#[track_caller]
fn check_close(expected: &Stereo, found: &Stereo, name: &str) {
    let (mut expected, mut found) = (expected.clone(), found.clone());
    assert!(expected.len().abs_diff(found.len()) < 1024, "{name}: {}", found.len());
    let both = expected.len().min(found.len());
    expected.resize(both);
    found.resize(both);
    let db = stereo_snr_db(&expected, &found);
    assert!(db > 40.0, "{name}: {db:.1} dB");
}

#[test]
fn every_audio_track_of_a_film_can_be_chosen() {
    let workshop = Workshop::new();
    for (name, video, codecs, stated) in [
        ("a.mkv", "mpeg4", ["flac", "pcm_s16le"], "FLAC, PCM"),
        ("a.mp4", "mpeg4", ["alac", "aac"], "ALAC, AAC"),
        ("a.mov", "mpeg4", ["pcm_s16be", "libmp3lame"], "PCM, MP3"),
        ("a.ogg", "libtheora", ["libvorbis", "flac"], "Vorbis, FLAC"),
        ("opus.ogg", "libtheora", ["libopus", "libopus"], "Opus, Opus"),
    ] {
        let bytes = two_tracks(&workshop, name, video, codecs);
        let stated: Vec<&str> = stated.split(", ").collect();
        for (index, codec) in stated.iter().enumerate() {
            let (number, channels) = (index as u32 + 1, 2 - index);
            let decoded = decode_track(&bytes, number).unwrap();
            assert_eq!(decoded.source.track, AudioTrack { number, count: 2 }, "{name}");
            assert_eq!(decoded.source.codec.to_string(), *codec, "{name}");
            assert_eq!(decoded.source.channels, channels as u32, "{name}");
            let expected = workshop.stereo(name, channels, &format!("-map 0:a:{index}"));
            check_close(&expected, decoded.only(), name);
        }
        assert!(decode(&bytes).unwrap() == decode_track(&bytes, 1).unwrap(), "{name}");
        let error = decode_track(&bytes, 3).unwrap_err().to_string();
        assert!(error.starts_with("there is no audio track 3: the "), "{error}");
        assert!(error.ends_with(&format!(" file has 2 ({})", stated.join(", "))), "{error}");
    }
    let bytes = workshop.make(&signal(RATE, 2, SECONDS), "-c:a flac", "a.flac");
    assert!(decode_track(&bytes, 1).unwrap() == decode(&bytes).unwrap());
    let error = decode_track(&bytes, 2).unwrap_err().to_string();
    assert_eq!(error, "there is no audio track 2: the FLAC file has 1 (FLAC)");
}

#[test]
fn a_track_of_an_unsupported_codec_is_passed_over_unless_it_is_chosen() {
    let workshop = Workshop::new();
    for name in ["a.mkv", "a.mp4"] {
        let bytes = two_tracks(&workshop, name, "mpeg4", ["ac3", "alac"]);
        assert_eq!(decode(&bytes).unwrap().source.track, AudioTrack { number: 2, count: 2 });
        let error = decode_track(&bytes, 1).unwrap_err();
        assert!(error.is_unsupported() && error.to_string().starts_with("AC-3 in "), "{error}");
        let error = decode_track(&bytes, 5).unwrap_err().to_string();
        assert!(error.ends_with("has 2 (AC-3, ALAC)"), "{error}");
    }
}

#[test]
fn audio_that_begins_after_the_pictures_keeps_its_place() {
    let workshop = Workshop::new();
    for (name, arguments) in [
        ("pcm.mkv", "-c:v mpeg4 -c:a pcm_s16le"),
        ("aac.mkv", "-c:v mpeg4 -c:a aac"),
        ("opus.webm", "-c:v libvpx -c:a libopus"),
        ("aac.mp4", "-c:v mpeg4 -c:a aac"),
        ("opus.mp4", "-c:v mpeg4 -c:a libopus"),
        ("pcm.mov", "-c:v mpeg4 -c:a pcm_s16le"),
        ("parts.mp4", "-c:v mpeg4 -c:a alac -movflags +frag_keyframe+delay_moov"),
        // Reordered pictures have an edit list of their own.
        ("h264.mp4", "-c:v libx264 -bf 2 -c:a alac -movflags +faststart"),
    ] {
        let decoded = decode(&late(&workshop, name, arguments)).unwrap();
        assert!(decoded.report.is_clean(), "{name}: {:?}", decoded.report);
        check_close(&late_by_ffmpeg(&workshop, name), decoded.only(), name);
        if let Some(stated) = decoded.source.frames {
            assert_eq!(stated, decoded.only().frames(), "{name}");
        }
    }
}

#[test]
fn no_more_silence_is_put_in_front_than_the_limit() {
    let workshop = Workshop::new();
    for (name, arguments) in
        [("a.mov", "-c:v mpeg4 -c:a pcm_s16le"), ("a.mkv", "-c:v mpeg4 -c:a pcm_s16le")]
    {
        let bytes = late(&workshop, name, arguments);
        for frames in [0, 1000] {
            let limits = DecodeLimits { late_start_frames: frames, ..DecodeLimits::default() };
            let mut decoder =
                Decoder::open(uploads::complete(&bytes), &Input::Container, &limits).unwrap();
            let mut audio = Stereo::new();
            while let Some(block) = decoder.next_block().unwrap() {
                audio.extend(&block.audio);
            }
            let sound = (SECONDS * f64::from(RATE)) as usize;
            assert_eq!(audio.len(), frames as usize + sound, "{name}");
            assert!(decoder.report().is_clean(), "{name}: {:?}", decoder.report());
        }
    }
}

/// Sessions whose uploads FFmpeg decodes.
struct ByFfmpeg {
    _folder: tempfile::TempDir,
    separations: stemwire::separation::Separations,
}

impl ByFfmpeg {
    fn new() -> ByFfmpeg {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("models")).unwrap();
        cards(&path("models"), &[("a", "vocals", 32_768)]);
        let engine = FakeEngine { tilt: 0.0, ..FakeEngine::default() };
        let ffmpeg: PathBuf = program().canonicalize().unwrap();
        let environment = TestEnvironment::new(&[("a", engine)]).with_ffmpeg(Some(ffmpeg));
        let separations = environment.separations(&path("data"), &path("models"), &["a"]);
        ByFfmpeg { _folder: folder, separations }
    }

    fn separate(&self, bytes: &[u8], number: u32) -> Arc<Session> {
        let settings = Settings { track: NonZero::new(number), ..Settings::default() };
        let session = begin(&self.separations, settings, bytes);
        self.separations.wait(&session, Duration::from_secs(60));
        session
    }
}

/// The stems of a session whose model returns its input, against that at the model's rate.
#[track_caller]
fn check_session(session: &Session, expected: &Stereo, name: &str) {
    assert!(session.manifest().source.is_some(), "{name}: {:?}", session.manifest().failure);
    let (expected, _) = track(&wav(expected, RATE), Hertz(44_100));
    check_close(&expected, &stem(session, "vocals"), name);
}

#[test]
fn tracks_that_only_ffmpeg_reads_can_be_chosen() {
    let (workshop, sessions) = (Workshop::new(), ByFfmpeg::new());
    let bytes = two_tracks(&workshop, "a.avi", "mpeg4", ["pcm_s16le", "ac3"]);
    for (number, codec) in [(1, "PCM_S16LE"), (2, "AC-3")] {
        let session = sessions.separate(&bytes, number);
        let channels = 3 - number as usize;
        let expected = workshop.stereo("a.avi", channels, &format!("-map 0:a:{}", number - 1));
        check_session(&session, &expected, codec);
        let source = session.manifest().source.clone().unwrap();
        assert_eq!((&*source.codec, source.channels), (codec, channels as u32));
        assert_eq!(source.track, AudioTrack { number, count: 2 });
    }
    let session = sessions.separate(&bytes, 3);
    let failure = session.manifest().failure.clone().unwrap();
    assert_eq!(failure.reason, ErrorReason::ConfigInvalid);
    assert_eq!(failure.message, "there is no audio track 3: the file has 2 (PCM_S16LE, AC-3)");
    // Of a supported container, FFmpeg decodes the track of an unsupported codec alone.
    let bytes = two_tracks(&workshop, "a.mkv", "mpeg4", ["ac3", "flac"]);
    for (number, decoder) in [(1, "ffmpeg"), (2, ""), (0, "")] {
        let source = sessions.separate(&bytes, number).manifest().source.clone().unwrap();
        assert!(source.decoder.unwrap_or_default().starts_with(decoder));
        let number = if number == 0 { 2 } else { number };
        assert_eq!(source.track, AudioTrack { number, count: 2 });
    }
}

#[test]
fn late_audio_that_only_ffmpeg_reads_keeps_its_place() {
    let (workshop, sessions) = (Workshop::new(), ByFfmpeg::new());
    for (name, arguments) in [
        ("late.mkv", "-c:v mpeg4 -c:a ac3"),
        ("late.mp4", "-c:v mpeg4 -c:a eac3"),
        ("late.ts", "-c:v mpeg4 -c:a aac"),
        ("late.flv", "-c:v flv1 -c:a aac"),
    ] {
        let session = sessions.separate(&late(&workshop, name, arguments), 0);
        let mut copy = name;
        if name == "late.ts" {
            // FFmpeg counts from the first stream that it is to use, but for copies.
            copy = "copy.nut";
            workshop.must(&["-i", name, "-map", "0", "-c", "copy", copy]);
        }
        check_session(&session, &late_by_ffmpeg(&workshop, copy), name);
    }
    // Nothing is late without pictures, whatever times the packets have.
    for (name, arguments) in [("sound.ts", "-c:a aac"), ("sound.wma", "-c:a wmav2")] {
        let bytes = workshop.make(&signal(RATE, 2, SECONDS), arguments, name);
        check_session(&sessions.separate(&bytes, 0), &workshop.stereo(name, 2, ""), name);
    }
}
