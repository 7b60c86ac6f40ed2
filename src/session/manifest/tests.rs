use super::*;
use crate::audio::Hertz;
use crate::dsp::segments::WindowShape;

impl Plan {
    /// A plan for tests: `mini` with these stems.
    pub(crate) fn for_test(stems: &[&str]) -> Plan {
        Plan {
            model: "mini".into(),
            choice: None,
            model_rate: Hertz(44_100),
            segment: Frames(176_400),
            stems: stems.iter().map(|name| name.parse().unwrap()).collect(),
            overlap: 0.25,
            columns: None,
            windows: WindowShape::default(),
            silent_passages: true,
            late_start: true,
        }
    }
}

fn manifest() -> Manifest {
    Manifest::new(SessionId::random(), Settings::default(), Plan::for_test(&["vocals"]))
}

#[test]
fn a_manifest_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.json");
    let mut written = manifest();
    written.write(&path).unwrap();
    written.state = SessionState::Failed;
    written.failure =
        Some(Failure::new(crate::proto::reason::ErrorReason::DiskFull, "full").with("free", 0));
    written.write(&path).unwrap();
    assert_eq!(Manifest::read(&path).unwrap(), written);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_not_a_manifest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.json");
    for text in ["", "{}", "[1]", "{\"format\": 1}", "{\"format\": -1}"] {
        fs::write(&path, text).unwrap();
        assert!(matches!(Manifest::read(&path), Err(ManifestError::Invalid(_))), "{text}");
    }
}

#[test]
fn a_newer_manifest_is_refused_by_its_version_whatever_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.json");
    let text = r#"{"state": {"kind": "LATER"}, "format": 2}"#;
    fs::write(&path, text).unwrap();
    let error = Manifest::read(&path).unwrap_err();
    assert!(matches!(error, ManifestError::Newer { version: 2 }), "{error}");
    let mut same = manifest();
    same.version = 3;
    same.write(&path).unwrap();
    let error = Manifest::read(&path).unwrap_err();
    assert!(error.to_string().contains("version 3; this server reads up to version 1"));
}

/// Nothing is lost of a manifest that an earlier version has written.
#[test]
fn manifests_of_earlier_versions_are_read() {
    let compat = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat");
    let folders = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let versions = folders(&compat).map(|version| version.join("sessions"));
    let mut read = 0;
    for session in versions.filter(|path| path.is_dir()).flat_map(|path| folders(&path)) {
        let path = session.join("session.json");
        let written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let manifest = Manifest::read(&path).unwrap();
        let again = serde_json::to_vec(&manifest).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&again).unwrap();
        assert_contains(&found, &written, &session);
        read += 1;
    }
    assert!(read >= 13, "{read} manifests");
}

/// Every value of `part` is in `whole`, which may have more fields.
fn assert_contains(whole: &serde_json::Value, part: &serde_json::Value, place: &Path) {
    match part.as_object() {
        Some(fields) => {
            fields.iter().for_each(|(key, value)| {
                assert_contains(&whole[key], value, &place.join(key));
            });
        }
        None => assert_eq!(whole, part, "{}", place.display()),
    }
}

#[test]
fn a_span_that_has_committed_nothing_is_replaced() {
    let plan = Plan { model: "a".into(), segment: Frames(8), ..Plan::for_test(&[]) };
    let successor = |model: &str| Successor {
        engine: EngineRecord::unknown(model),
        segment: Frames(4),
        overlap: 0.5,
        columns: None,
        windows: WindowShape::default(),
    };
    let mut manifest = Manifest::new(SessionId::random(), Settings::default(), plan);
    let model = |span: EngineSpan| span.model;
    assert_eq!(
        (model(manifest.engine_span()), model(manifest.committed_span())),
        ("a".into(), "a".into())
    );
    manifest.commit.segments = 3;
    manifest.begin_span(successor("b"), Frames(18));
    manifest.begin_span(successor("c"), Frames(18));
    assert_eq!(
        (model(manifest.engine_span()), model(manifest.committed_span())),
        ("c".into(), "a".into())
    );
    assert_eq!(manifest.engine_spans.len(), 1);
    assert_eq!(manifest.repeated_until(), None);
    manifest.commit.segments = 4;
    assert_eq!(model(manifest.committed_span()), "c");
}

#[test]
fn commits_that_are_taken_back_bring_back_their_span() {
    let plan = Plan { model: "a".into(), ..Plan::for_test(&[]) };
    let mut manifest = Manifest::new(SessionId::random(), Settings::default(), plan);
    for (first, model) in [(3, "b"), (5, "c")] {
        let span = manifest.plan.engine_span();
        manifest.engine_spans.push(EngineSpan { model: model.into(), first, ..span });
    }
    for (segments, expected, until) in [
        (0, "a", Some(3)),
        (2, "a", Some(3)),
        (3, "b", Some(5)),
        (4, "b", Some(5)),
        (5, "c", None),
        (9, "c", None),
    ] {
        manifest.commit.segments = segments;
        let found = (manifest.engine_span().model, manifest.repeated_until());
        assert_eq!(found, (expected.to_owned(), until), "{segments}");
    }
}
