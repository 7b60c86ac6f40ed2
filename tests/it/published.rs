//! Published models: downloads over bad connections, imports, and separation with the result.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use stemwire::audio::Stereo;
use stemwire::engine::pool::{Pool, PoolConfig, Task};
use stemwire::engine::{EngineError, EngineOptions};
use stemwire::model::registry::import::{ImportOutcome, ImportRequest, MdxOptions, import};
use stemwire::model::registry::pull::pull;
use stemwire::model::registry::{PublishedModel, RegistryError, verify};
use stemwire::model::{AvailableModels, Model, ModelCard, ModelError, Sha256Hash};

use crate::support::golden::{GRAPH, WEIGHTS, model_of};
use crate::support::http::{Behaviour, FileServer};
use crate::support::pipeline::{golden, read_wav, runtime};

const FILE: &str = "00000000.safetensors";

/// The golden model, as if it was published at `address`.
fn tiny(address: &str) -> PublishedModel {
    let card = ModelCard::parse(include_str!("../golden/tiny/card.toml"), "card.toml").unwrap();
    let file_bytes = WEIGHTS.len() as u64;
    PublishedModel { card, graph: GRAPH, address: Some(address.to_owned().leak()), file_bytes }
}

/// The sorted entries of a folder; empty if it is missing.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn pull_from(address: &str, models: &Path) -> Result<(), RegistryError> {
    pull(&tiny(address), None, models, &mut |_| {})
}

/// Downloads from a server with this behaviour; returns the first bytes of the requested ranges.
#[track_caller]
fn check(before: &[u8], behaviour: &Behaviour, expected: &[Option<usize>]) {
    let models = tempfile::tempdir().unwrap();
    let folder = models.path().join("tiny");
    if !before.is_empty() {
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(format!("{FILE}.part")), before).unwrap();
    }
    let server = FileServer::start(WEIGHTS, behaviour);
    pull_from(&server.address, models.path()).unwrap();
    assert_eq!(server.ranges(), expected);
    assert_eq!(names(&folder), [FILE]);
    assert!(fs::read(folder.join(FILE)).unwrap() == WEIGHTS);
    let model = tiny("").installed(models.path()).unwrap();
    assert!(model.is_verified() && verify(&model).is_ok());
    // What is there is not fetched again.
    pull_from(&server.address, models.path()).unwrap();
    assert_eq!(server.ranges().len(), expected.len());
}

#[test]
fn a_broken_download_is_continued() {
    check(b"", &Behaviour::default(), &[None]);
    let cuts = |cuts: &[usize]| Behaviour { cuts: cuts.to_vec(), ..Behaviour::default() };
    check(b"", &cuts(&[1, 77_777]), &[None, Some(1), Some(77_778)]);
    check(&WEIGHTS[..54_321], &cuts(&[]), &[Some(54_321)]);
    // All of it came, and the process ended before it was verified.
    check(WEIGHTS, &cuts(&[]), &[Some(WEIGHTS.len())]);
}

#[test]
fn a_corrupt_partial_download_is_discarded() {
    check(b"of another file", &Behaviour::default(), &[Some(15), None]);
    let longer = [WEIGHTS, b"more"].concat();
    check(&longer, &Behaviour::default(), &[Some(longer.len()), None]);
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let behaviour = Behaviour { cuts: vec![1000], without_ranges: true, status: None };
    check(b"", &behaviour, &[None, Some(1000)]);
}

#[test]
fn a_partial_file_is_not_a_model_and_is_continued() {
    let models = tempfile::tempdir().unwrap();
    // It breaks off, and then again and again without a byte.
    let behaviour = Behaviour { cuts: vec![4096, 0, 0, 0, 0], ..Behaviour::default() };
    let server = FileServer::start(WEIGHTS, &behaviour);
    let error = pull_from(&server.address, models.path()).unwrap_err();
    assert!(matches!(error, RegistryError::Network { kept: 4096, .. }), "{error}");
    assert!(error.remedy().contains("4096"), "{}", error.remedy());
    assert_eq!(names(&models.path().join("tiny")), [format!("{FILE}.part")]);
    assert!(tiny("").installed(models.path()).is_none());
    assert!(AvailableModels::open(Some(models.path())).find("tiny").is_err());
    assert_eq!(tiny("").bytes_here(models.path()), 4096);
}

#[test]
fn another_file_than_the_published_one_is_refused_with_both_hashes() {
    let models = tempfile::tempdir().unwrap();
    let mut flipped = WEIGHTS.to_vec();
    flipped[200_000] ^= 1;
    let server = FileServer::start(&flipped, &Behaviour::default());
    let error = pull_from(&server.address, models.path()).unwrap_err().to_string();
    for hash in [Sha256Hash::of(WEIGHTS), Sha256Hash::of(&flipped)] {
        assert!(error.contains(&hash.to_string()), "{error}");
    }
    assert_eq!(names(&models.path().join("tiny")), [""; 0]);
}

#[test]
fn a_refused_download_is_not_retried() {
    let models = tempfile::tempdir().unwrap();
    let behaviour = Behaviour { status: Some(404), ..Behaviour::default() };
    let server = FileServer::start(WEIGHTS, &behaviour);
    let error = pull_from(&server.address, models.path()).unwrap_err();
    assert!(matches!(error, RegistryError::Status { status: 404, .. }), "{error}");
    assert_eq!(server.ranges().len(), 1);
    let error = pull_from("http://127.0.0.1:1", models.path()).unwrap_err();
    assert!(matches!(error, RegistryError::Network { kept: 0, .. }), "{error}");
}

#[test]
fn files_are_imported_whatever_they_are_called_and_verified() {
    let root = tempfile::tempdir().unwrap();
    let [models, given] = ["models", "given"].map(|name| root.path().join(name));
    fs::create_dir(&given).unwrap();
    let published = tiny("");
    let name = &published.card.name;
    let take = |paths: &[&Path]| {
        let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
        let published = Some(&published);
        let what = ImportRequest {
            name,
            published,
            paths: &paths,
            allow_unverified: false,
            config: None,
            stems: &[],
            graph: None,
            mdx: MdxOptions::default(),
        };
        import(&what, &models, &mut |_| {})
    };
    let error = take(&[&given]).unwrap_err();
    assert!(matches!(error, RegistryError::Missing { .. }), "{error}");
    fs::write(given.join("a.safetensors"), b"of another kind").unwrap();
    let error = take(&[&given.join("a.safetensors")]).unwrap_err().to_string();
    let found = Sha256Hash::of(b"of another kind").to_string();
    assert!(
        error.contains(&found) && error.contains(&published.card.weights[0].sha256.to_string())
    );
    assert!(!models.exists());
    fs::write(given.join("b.safetensors"), WEIGHTS).unwrap();
    assert_eq!(take(&[&given]).unwrap(), ImportOutcome::Verified);
    assert_eq!(names(&models.join("tiny")), [FILE]);
}

/// The stems of one segment.
fn answer(
    pool: &Pool,
    model: &Arc<Model>,
    mix: &Stereo,
    wanted: [bool; 4],
) -> Result<Vec<Stereo>, EngineError> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let task = Task {
        model: Arc::clone(model),
        segment: 0,
        mix: mix.clone(),
        options: EngineOptions { wanted: wanted.to_vec(), ..EngineOptions::all(model.card()) },
        isolated: false,
        engine: None,
        cancelled: Arc::default(),
        on_start: Box::new(|| {}),
        on_done: Box::new(move |result| sender.send(result).unwrap()),
    };
    pool.submit(1, task);
    receiver.recv().unwrap().map(|answer| answer.stems)
}

#[test]
fn a_bag_loads_only_the_requested_specialists() {
    let root = tempfile::tempdir().unwrap();
    let mut other = WEIGHTS.to_vec();
    // The signs of some of the last weights.
    let end = other.len();
    other[end - 2000..].iter_mut().skip(1).step_by(2).for_each(|byte| *byte ^= 0x80);
    let [one, two] = [("one", WEIGHTS), ("two", &other)]
        .map(|(name, bytes)| model_of(root.path(), name, &[("weights", None, bytes)]));
    let specialists: [(&str, Option<&str>, &[u8]); 4] = [
        ("v", Some("vocals"), &other),
        ("d", Some("drums"), WEIGHTS),
        ("b", Some("bass"), WEIGHTS),
        ("o", Some("other"), WEIGHTS),
    ];
    let bag = model_of(root.path(), "bag", &specialists);
    for missing in ["b", "o"] {
        fs::remove_file(root.path().join("bag").join(missing)).unwrap();
    }
    let pool = Pool::start(PoolConfig::for_threads(1), runtime()).unwrap();
    let mut mix = read_wav(&golden().join("clip.wav"));
    mix.resize(bag.card().segment.as_len());
    let drums_and_vocals = [true, false, false, true];
    let found = answer(&pool, &bag, &mix, drums_and_vocals).unwrap();
    let expected = [&one, &two].map(|model| answer(&pool, model, &mix, [true; 4]).unwrap());
    assert!(found[0] == expected[0][0] && found[3] == expected[1][3]);
    assert!(expected[0][3] != expected[1][3], "the specialists differ");
    assert!(found[1] == Stereo::zeros(mix.len()) && found[2] == found[1]);
    let error = answer(&pool, &bag, &mix, [false, true, false, false]).unwrap_err();
    assert!(matches!(error, EngineError::Model(ModelError::File { .. })), "{error}");
}

#[test]
fn weights_that_do_not_fit_are_refused_with_the_first_difference() {
    let root = tempfile::tempdir().unwrap();
    let mut text = WEIGHTS.to_vec();
    let name = b"decoder.0.conv_tr.bias";
    let at = text.windows(name.len()).position(|window| window == name).unwrap();
    text[at..at + 7].copy_from_slice(b"DECODER");
    let model = model_of(root.path(), "wrong", &[("weights", None, &text)]);
    let pool = Pool::start(PoolConfig::for_threads(1), runtime()).unwrap();
    let error = pool.warm_up(&model).unwrap_err().to_string();
    assert!(error.contains("the graph has no tensor DECODER.0.conv_tr.bias"), "{error}");
}
