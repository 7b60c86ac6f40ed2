//! The tables in `docs/FORMATS.md`: every row is a file that FFmpeg makes, and what becomes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use super::track::track;
use crate::support::compare::stereo_snr_db;
use crate::support::decode;
use crate::support::environment::{FakeEngine, TestEnvironment, cards};
use crate::support::ffmpeg::{Workshop, program, signal};
use crate::support::pipeline::{stem, wav};
use stemwire::audio::{Hertz, Stereo, TimeSpan};
use stemwire::session::{Session, SessionState, Settings};

const DOCS: &str = include_str!("../../../docs/FORMATS.md");

/// Length of the files: not a multiple of any codec's packet.
const SECONDS: f64 = 0.9;

/// Files that one process of FFmpeg makes or decodes.
const BATCH: usize = 16;

/// Rate of the model, and so of the stems.
const MODEL_RATE: Hertz = Hertz(44_100);

/// A row, and the file that it describes.
struct Row {
    container: String,
    codec: String,
    rate: u32,
    channels: usize,
    reader: Reader,
    /// Arguments of FFmpeg.
    arguments: String,
    bytes: Vec<u8>,
    /// FFmpeg's decoding as stereo.
    expected: Stereo,
}

/// What reads the file.
enum Reader {
    /// Stemwire, with at least this SNR in dB against FFmpeg; infinite if it is the same.
    Stemwire(f64),
    /// FFmpeg. Without it, the cause of the refusal.
    Ffmpeg(String),
}

impl Row {
    /// Parses the cells of a row.
    fn parse(line: &str) -> Row {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[container, codec, rate, channels, reader, made] = &cells[..] else {
            panic!("{line} is no row");
        };
        let reader = match reader.strip_suffix(" dB") {
            Some(db) => Reader::Stemwire(db.parse().unwrap()),
            None if reader == "exact" => Reader::Stemwire(f64::INFINITY),
            None => Reader::Ffmpeg(reader.to_owned()),
        };
        Row {
            container: container.to_owned(),
            codec: codec.to_owned(),
            rate: rate.parse().unwrap(),
            channels: channels.parse().unwrap(),
            reader,
            arguments: made.trim_matches('`').to_owned(),
            bytes: Vec::new(),
            expected: Stereo::new(),
        }
    }

    /// The arguments without the name, and the name in a folder of all rows.
    fn target(&self, index: usize) -> (Vec<&str>, String) {
        let mut words: Vec<&str> = self.arguments.split(' ').collect();
        let (_, ending) = words.pop().unwrap().rsplit_once('.').unwrap();
        (words, format!("{index}.{ending}"))
    }

    /// The path of a file that FFmpeg cannot make.
    fn stored(&self) -> Option<PathBuf> {
        let is_stored = self.arguments.starts_with("tests/");
        is_stored.then(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(&self.arguments))
    }

    /// FFmpeg keeps a part of the padding of the last packet.
    fn is_padded_by_ffmpeg(&self) -> bool {
        self.codec == "Vorbis" || self.container == "MP4" && matches!(&*self.codec, "AAC" | "Opus")
    }
}

/// All rows with their files, made and decoded by FFmpeg.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    // What follows is about files that are written.
    let read = DOCS.split("\n## Tags and cover\n").next().unwrap_or(DOCS);
    let cells = read.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let mut rows: Vec<Row> = cells.map(Row::parse).collect();
    let workshop = Workshop::new();
    for (batch, rows) in rows.chunks_mut(BATCH).enumerate() {
        make(&workshop, rows, batch * BATCH);
        decode_by_ffmpeg(&workshop, rows, batch * BATCH);
    }
    rows
});

fn make(workshop: &Workshop, rows: &mut [Row], first: usize) {
    let signals = rows.iter().map(|row| signal(row.rate, row.channels, SECONDS));
    let signals: Vec<String> = signals.collect();
    let targets: Vec<_> = rows.iter().enumerate().map(|(at, row)| row.target(first + at)).collect();
    let maps: Vec<String> = (0..rows.len()).map(|at| format!("{at}:a")).collect();
    let mut arguments = Vec::new();
    for signal in &signals {
        arguments.extend(["-f", "lavfi", "-i", signal]);
    }
    for ((row, (words, name)), map) in rows.iter().zip(&targets).zip(&maps) {
        if let Some(path) = row.stored() {
            fs::copy(path, workshop.path(name)).unwrap();
            continue;
        }
        arguments.extend(["-map", map, "-bitexact"]);
        arguments.extend(words);
        arguments.push(name);
    }
    workshop.must(&arguments);
    let read: Vec<_> = targets.iter().map(|(_, name)| fs::read(workshop.path(name))).collect();
    for (row, bytes) in rows.iter_mut().zip(read) {
        row.bytes = bytes.unwrap();
    }
}

fn decode_by_ffmpeg(workshop: &Workshop, rows: &mut [Row], first: usize) {
    let names: Vec<_> = (0..rows.len()).map(|at| rows[at].target(first + at).1).collect();
    let outputs: Vec<_> = names.iter().map(|name| format!("{name}.decoded.wav")).collect();
    let maps: Vec<String> = (0..rows.len()).map(|at| format!("{at}:a")).collect();
    let mut arguments = Vec::new();
    for (row, name) in rows.iter().zip(&names) {
        if row.codec == "Opus" && matches!(row.reader, Reader::Stemwire(_)) {
            // The reference decoder, in floating point.
            arguments.extend(["-c:a", "libopus", "-request_sample_fmt", "flt"]);
        }
        arguments.extend(["-i", name]);
    }
    for ((row, output), map) in rows.iter().zip(&outputs).zip(&maps) {
        arguments.extend(["-map", map, "-c:a", "pcm_f32le"]);
        if row.channels > 2 && matches!(row.reader, Reader::Stemwire(_)) {
            arguments.extend(["-af", "aresample=rematrix_maxval=1", "-ac", "2"]);
        }
        arguments.push(output);
    }
    workshop.must(&arguments);
    for (row, output) in rows.iter_mut().zip(&outputs) {
        row.expected = decode(&fs::read(workshop.path(output)).unwrap()).unwrap().only().clone();
    }
}

#[test]
fn there_are_rows_of_every_kind() {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for row in ROWS.iter() {
        let by_ffmpeg = matches!(row.reader, Reader::Ffmpeg(_));
        *kinds.entry(if by_ffmpeg { "FFmpeg" } else { &row.container }).or_default() += 1;
    }
    assert!(ROWS.len() >= 60, "{}", ROWS.len());
    for container in ["WAV", "AIFF", "FLAC", "MP3", "Ogg", "MP4", "Matroska", "FFmpeg"] {
        assert!(kinds[container] >= 5, "{container}: {kinds:?}");
    }
}

#[test]
fn what_stemwire_reads_is_what_ffmpeg_decodes() {
    for row in ROWS.iter() {
        let Reader::Stemwire(bound) = row.reader else { continue };
        let name = &row.arguments;
        let decoded = decode(&row.bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(decoded.report.is_clean(), "{name}: {:?}", decoded.report);
        let source = &decoded.source;
        let stated = (source.container.to_string(), source.codec.to_string(), source.channels);
        assert_eq!(stated, (row.container.clone(), row.codec.clone(), row.channels as u32));
        assert_eq!((source.rate, decoded.runs[0].0), (Hertz(row.rate), Hertz(row.rate)), "{name}");
        let (mut audio, mut expected) = (decoded.only().clone(), row.expected.clone());
        if let Some(stated) = source.frames {
            assert_eq!(stated, audio.frames(), "{name}");
        }
        if row.is_padded_by_ffmpeg() {
            assert_eq!(audio.len(), (SECONDS * f64::from(row.rate)).round() as usize, "{name}");
            assert!(expected.len().abs_diff(audio.len()) < 1024, "{name}: {}", expected.len());
            let both = expected.len().min(audio.len());
            expected.resize(both);
            audio.resize(both);
        }
        assert_eq!(audio.len(), expected.len(), "{name}");
        let found = stereo_snr_db(&expected, &audio);
        assert!(found >= bound, "{name}: {found:.1} dB");
    }
}

/// The sessions of all rows, by decoders with this FFmpeg.
fn sessions(ffmpeg: Option<PathBuf>) -> (tempfile::TempDir, Vec<Arc<Session>>) {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    fs::create_dir(&models).unwrap();
    cards(&models, &[("a", "vocals", 32_768)]);
    let engine = FakeEngine { tilt: 0.0, ..FakeEngine::default() };
    let environment = TestEnvironment::new(&[("a", engine)]).with_ffmpeg(ffmpeg);
    let separations = environment.separations(&folder.path().join("data"), &models, &["a"]);
    let all = ROWS.iter().map(|row| {
        // The lengths of what Stemwire reads are compared elsewhere.
        let is_part = matches!(row.reader, Reader::Stemwire(_));
        let end = is_part.then_some(Duration::from_millis(200));
        let span = TimeSpan { end, ..TimeSpan::default() };
        let (session, _) = separations.create(Settings { span, ..Settings::default() }).unwrap();
        separations.add_bytes(&session, 0, &row.bytes).unwrap();
        // It is refused if the part is done before.
        let _ = separations.finish_upload(&session, row.bytes.len() as u64, None);
        separations.wait(&session, Duration::from_secs(60));
        session
    });
    let all = all.collect();
    (folder, all)
}

#[test]
fn sessions_are_the_same_with_and_without_ffmpeg_or_need_it() {
    let without = thread::spawn(|| sessions(None));
    let (_with_folder, with) = sessions(Some(program().canonicalize().unwrap()));
    let (_without_folder, without) = without.join().unwrap();
    let faults: Vec<String> = ROWS
        .iter()
        .zip(with.iter().zip(&without))
        .filter_map(|(row, (with, without))| {
            let name = format!("{} Hz, {} channels, {}", row.rate, row.channels, row.arguments);
            check_sessions(row, with, without).err().map(|fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Compares the sessions of a row with and without FFmpeg with what it states.
fn check_sessions(row: &Row, with: &Session, without: &Session) -> Result<(), String> {
    let (done, failure) = (SessionState::Done, with.manifest().failure.clone());
    let source = with.manifest().source.clone().ok_or(format!("no source: {failure:?}"))?;
    let check = |is_right: bool, what: String| if is_right { Ok(()) } else { Err(what) };
    check(with.state() == done, format!("with FFmpeg: {failure:?}"))?;
    let stated = (&source.container, &source.codec, source.channels, source.rate);
    let expected = (&row.container, &row.codec, row.channels as u32, Hertz(row.rate));
    check(stated == expected, format!("the session states {stated:?}"))?;
    let decoder = source.decoder.unwrap_or_default();
    match &row.reader {
        Reader::Stemwire(_) => {
            check(decoder.is_empty(), format!("decoded by {decoder}"))?;
            check(without.state() == done, format!("{:?}", without.manifest().failure))?;
            let is_same = stem(with, "vocals") == stem(without, "vocals");
            check(is_same, "other stems without FFmpeg".to_owned())
        }
        Reader::Ffmpeg(cause) => {
            check(decoder.starts_with("ffmpeg "), "not decoded by FFmpeg".to_owned())?;
            let failure = without.manifest().failure.clone().ok_or("decoded without FFmpeg")?;
            let remedy = failure.remedy.unwrap_or_default();
            check(failure.message == *cause, format!("refused as {:?}", failure.message))?;
            check(remedy.contains("`ffmpeg -i INPUT -c:a flac OUTPUT.flac`"), remedy)?;
            let found = stem(with, "vocals");
            let (expected, _) = track(&wav(&row.expected, row.rate), MODEL_RATE);
            let lengths = format!("{} frames instead of {}", found.len(), expected.len());
            check(found.len() == expected.len(), lengths)?;
            let db = stereo_snr_db(&expected, &found);
            check(db > 110.0, format!("{db:.1} dB"))
        }
    }
}
