//! A server that ends between any two writes of a commit: the next one continues with the same bytes and leaves no file.
//!
//! What such an end leaves is put together from the files before and after the commit of a segment, and after the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use stemwire::session::{SessionId, SessionState, Settings};

use super::crashes::{Fixture, PATIENCE, upload};
use crate::support::environment::{FakeEngine, Fault};
use crate::support::pipeline::{begin, wait_for};

/// The files of a session's directory by their names in it.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files_of(directory: &Path) -> Files {
    let mut files = Files::new();
    for folder in [directory.to_owned(), directory.join("stems")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(directory).unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// The files of one session at three moments.
struct Moments {
    fixture: Fixture,
    id: SessionId,
    directory: PathBuf,
    /// After the commit of the second segment.
    before: Files,
    /// After the commit of the third.
    after: Files,
    /// When it is done.
    done: Files,
}

impl Moments {
    fn new() -> Moments {
        let fixture = Fixture::new(None);
        let separations = fixture.open();
        let session = begin(&separations, Settings::default(), &upload());
        let directory = session.layout().directory().to_owned();
        wait_for(|| session.manifest().commit.segments == 2);
        separations.close(Instant::now() + PATIENCE);
        drop(separations);
        let before = files_of(&directory);

        let one_more = FakeEngine { fails: Some((1, Fault::Slow)), ..FakeEngine::default() };
        fixture.environment.set("a", one_more);
        let separations = fixture.open();
        let session = separations.find(session.id()).unwrap();
        wait_for(|| session.manifest().commit.segments == 3);
        separations.close(Instant::now() + PATIENCE);
        drop(separations);
        let after = files_of(&directory);

        fixture.release(None);
        let separations = fixture.open();
        let session = separations.find(session.id()).unwrap();
        assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
        let done = files_of(&directory);
        Moments { fixture, id: session.id(), directory, before, after, done }
    }

    /// Continues from `left`.
    #[track_caller]
    fn check(&self, point: &str, left: &Files) {
        fs::remove_dir_all(&self.directory).unwrap();
        fs::create_dir_all(self.directory.join("stems")).unwrap();
        for (name, bytes) in left {
            fs::write(self.directory.join(name), bytes).unwrap();
        }
        let separations = self.fixture.open();
        let session = separations.find(self.id).unwrap();
        let state = separations.wait(&session, PATIENCE);
        assert_eq!(state, SessionState::Done, "{point}: {:?}", session.manifest().failure);
        assert!(session.manifest().engine_changes.is_empty(), "{point}: another engine");
        assert_eq!(session.manifest().recomputed, 0, "{point}: taken for damage");
        drop((session, separations));
        let found = files_of(&self.directory);
        let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&self.done), "{point}");
        for (name, bytes) in &self.done {
            let is_manifest = name.ends_with("session.json");
            assert!(is_manifest || found[name] == *bytes, "{point}: {name:?} differs");
        }
    }
}

/// Whether a file is a stem.
fn is_stem(name: &Path) -> bool {
    name.starts_with("stems") && !name.ends_with("checksums")
}

#[test]
fn an_end_between_two_writes_of_a_commit_changes_no_byte() {
    let moments = Moments::new();
    let mut left = moments.before.clone();
    let take = |left: &mut Files, wanted: &dyn Fn(&Path) -> bool, share: f64| {
        for (name, bytes) in moments.after.iter().filter(|(name, _)| wanted(name)) {
            let old = left.get(name).map_or(0, Vec::len);
            let new = old + ((bytes.len() - old) as f64 * share) as usize;
            left.insert(name.clone(), bytes[..new].to_vec());
        }
    };
    let is = |wanted: &'static str| move |name: &Path| name == Path::new(wanted);

    left.insert("computing.2".into(), Vec::new());
    moments.check("while the segment is computed", &left);
    left.remove(Path::new("computing.2"));
    take(&mut left, &|name| name.ends_with("drums.wav.part"), 1.0);
    take(&mut left, &|name| name.ends_with("bass.wav.part"), 0.3);
    moments.check("while the stems are written", &left);
    take(&mut left, &is_stem, 1.0);
    moments.check("after the stems", &left);
    take(&mut left, &is("stems/checksums"), 1.0);
    moments.check("after the checksums", &left);
    take(&mut left, &is("carry.3"), 0.3);
    moments.check("while the overlap state is written", &left);
    take(&mut left, &is("carry.3"), 1.0);
    moments.check("after the overlap state", &left);
    let manifest = moments.after[Path::new("session.json")].clone();
    left.insert(".session.jsonQ1w2E3.new".into(), manifest[..99].to_vec());
    moments.check("while the manifest is written", &left);
    left.remove(Path::new(".session.jsonQ1w2E3.new"));
    left.insert("session.json".into(), manifest);
    moments.check("after the manifest", &left);
    moments.check("after the old overlap state", &moments.after);
}

#[test]
fn an_end_between_two_writes_of_the_last_commit_changes_no_byte() {
    let moments = Moments::new();
    let mut left = moments.after.clone();
    let stems: Vec<_> = moments.done.iter().filter(|(name, _)| is_stem(name)).collect();
    let part = |name: &Path| PathBuf::from(format!("{}.part", name.display()));
    assert_eq!(stems.len(), 4);

    for (name, bytes) in &stems {
        left.insert(part(name), bytes.to_vec());
    }
    moments.check("after the last frames", &left);
    let checksums = Path::new("stems/checksums");
    left.insert(checksums.to_owned(), moments.done[checksums].clone());
    moments.check("after the last checksums", &left);
    for (name, bytes) in stems {
        left.remove(&part(name));
        left.insert(name.clone(), bytes.clone());
        moments.check("after a rename", &left);
    }
    left.insert("session.json".into(), moments.done[Path::new("session.json")].clone());
    left.insert("computing.4".into(), Vec::new());
    moments.check("after the last manifest", &left);
}

#[test]
fn an_end_between_two_writes_of_a_cancel_leaves_a_session_that_is_cancelled_or_continues() {
    let fixture = Fixture::new(None);
    // Another engine takes over: what it continues from cannot be made again by the first.
    let engine = |call, fault| FakeEngine { fails: Some((call, fault)), ..FakeEngine::default() };
    fixture.environment.set("a", engine(1, Fault::Error));
    fixture.environment.set("b", engine(1, Fault::Slow));
    let separations = fixture.open();
    let session = begin(&separations, Settings::default(), &upload());
    wait_for(|| session.manifest().commit.segments == 2);
    separations.close(Instant::now() + PATIENCE);
    drop(separations);
    let directory = session.layout().directory().to_owned();
    let before = files_of(&directory);
    let separations = fixture.open();
    let session = separations.find(session.id()).unwrap();
    separations.cancel(&session);
    separations.wait_stopped(&session).unwrap();
    let cancelled = files_of(&directory);
    drop(separations);
    fixture.environment.set("b", FakeEngine::default());

    let check = |point: &str, left: &Files, expected: SessionState| {
        fs::remove_dir_all(&directory).unwrap();
        fs::create_dir_all(directory.join("stems")).unwrap();
        left.iter().for_each(|(name, bytes)| fs::write(directory.join(name), bytes).unwrap());
        let separations = fixture.open();
        let session = separations.find(session.id()).unwrap();
        let state = separations.wait(&session, PATIENCE);
        assert_eq!(state, expected, "{point}: {:?}", session.manifest().failure);
        assert_eq!(session.manifest().engine_changes.len(), 1, "{point}");
        drop((session, separations));
        files_of(&directory).into_keys().collect::<Vec<_>>()
    };
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    check("before", &before, SessionState::Done);
    // The disk is full: the track makes space for the manifest.
    let mut left = before.clone();
    left.remove(Path::new("track.f32")).unwrap();
    check("before the manifest on a full disk", &left, SessionState::Done);
    let mut left = before;
    left.insert("session.json".into(), cancelled[Path::new("session.json")].clone());
    for file in ["track.f32", "silence", "carry.2"] {
        let found = check("after the manifest", &left, SessionState::Cancelled);
        assert_eq!(found, names(&cancelled), "scratch stays");
        left.remove(Path::new(file)).unwrap();
    }
}
