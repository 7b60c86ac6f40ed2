use std::fs;
use std::path::Path;

use super::*;

/// A folder with models of which only the cards exist: name, stems, sample rate.
fn models(cards: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mini/card.toml");
    let mini: toml::Table = fs::read_to_string(mini).unwrap().parse().unwrap();
    for (name, stems, rate) in cards {
        let mut card = mini.clone();
        card.remove("residual_shares");
        card.insert("name".into(), (*name).into());
        card.insert("stems".into(), stems.split(' ').collect::<Vec<_>>().into());
        card.insert("sample_rate".into(), rate.parse::<i64>().unwrap().into());
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("card.toml"), card.to_string()).unwrap();
    }
    folder
}

fn names(text: &str) -> Vec<StemName> {
    text.split_whitespace().map(|name| name.parse().unwrap()).collect()
}

fn chain(engines: &[&str], available: &AvailableModels) -> Chain {
    let engines: Vec<String> = engines.iter().map(|&name| name.to_owned()).collect();
    Chain::of(&engines, available).unwrap()
}

fn broken(name: &str) -> EngineError {
    EngineError::Load { model: name.into(), reason: "no graph".into() }
}

#[test]
fn the_first_model_with_the_stems_is_chosen() {
    let available = AvailableModels::open(None);
    let chain = Chain::of(&[], &available).unwrap();
    assert!(chain.first_for(&[]).is_ok());
    assert!(chain.first_for(&names("vocals accompaniment")).is_ok());
    let error = chain.first_for(&names("vocals piano")).unwrap_err().to_string();
    assert!(error.contains("piano") && error.contains("drums"), "{error}");
    assert!(Chain::of(&["nosuch".into()], &available).is_err());
}

#[test]
fn the_default_chain_prefers_installed_models() {
    let first = |folder: Option<&Path>| -> Vec<String> {
        let chain = Chain::of(&[], &AvailableModels::open(folder)).unwrap();
        chain.models().iter().map(|model| model.card().name.to_string()).collect()
    };
    assert_eq!(first(None)[0], "mini");
    let four = "drums bass other vocals";
    let one = models(&[("htdemucs", four, "44100")]);
    assert_eq!(first(Some(one.path()))[..2], ["htdemucs", "mini"]);
    let both = models(&[("spleeter-4stems", four, "44100"), ("htdemucs", four, "44100")]);
    assert_eq!(first(Some(both.path())), ["htdemucs", "spleeter-4stems"]);
}

#[test]
fn a_model_with_a_broken_card_is_skipped() {
    let folder = models(&[("broken", "vocals", "44100")]);
    fs::write(folder.path().join("broken/card.toml"), "name = 1").unwrap();
    let available = AvailableModels::open(Some(folder.path()));
    let both = chain(&["broken", "mini"], &available).first_for(&[]).unwrap();
    assert_eq!(both.model.card().name.as_str(), "mini");
    assert_eq!(both.skipped.unwrap().name, "broken");
    let alone = chain(&["broken"], &available);
    assert!(alone.fault().unwrap().to_string().contains("broken/card.toml"));
    assert!(matches!(alone.first_for(&[]), Err(EngineError::NoneWorks { .. })));
}

#[test]
fn a_model_that_does_not_work_is_skipped() {
    let four = "drums bass other vocals";
    let folder = models(&[("a", four, "44100"), ("b", four, "44100")]);
    let available = AvailableModels::open(Some(folder.path()));
    let chain = chain(&["a", "b"], &available);
    chain.circuit_breakers().failed("a", &broken("a"));
    let choice = chain.first_for(&[]).unwrap();
    assert_eq!(choice.model.card().name.as_str(), "b");
    assert_eq!(choice.skipped.unwrap().name, "a");
    let a = available.find("a").unwrap();
    let named = chain.named(Arc::clone(&a), &[], true).unwrap();
    assert_eq!(named.model.card().name.as_str(), "b");
    assert!(matches!(chain.named(a, &[], false), Err(EngineError::NoneWorks { .. })));
    assert!(chain.fault().is_none());
    chain.circuit_breakers().failed("b", &broken("b"));
    let error = chain.first_for(&[]).unwrap_err().to_string();
    assert!(error.contains("model a") && error.contains("model b"), "{error}");
    assert!(chain.fault().is_some());
}

#[track_caller]
fn check_successor(
    chain: &Chain,
    (current, tried): (&str, &[&str]),
    wanted: &str,
    expected: Result<&str, &str>,
) {
    let tried: Vec<String> = tried.iter().map(|&name| name.to_owned()).collect();
    let found = chain.successor(current, &tried, &names(wanted), Hertz(44_100));
    let found = found.map(|model| model.card().name.to_string());
    match (found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected),
        (Err(NoSuccessor::LacksStem(text)), Err("lacks")) => assert!(text.contains("yields")),
        (Err(NoSuccessor::NoneWorks(_)), Err("none")) => {}
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    }
}

#[test]
fn only_a_model_with_every_stem_at_the_same_rate_is_a_successor() {
    let four = "drums bass other vocals";
    let folder = models(&[
        ("a", four, "44100"),
        ("two", "vocals accompaniment", "44100"),
        ("slow", four, "32000"),
        ("b", four, "44100"),
    ]);
    let available = AvailableModels::open(Some(folder.path()));
    let all = chain(&["a", "two", "slow", "b"], &available);
    check_successor(&all, ("a", &[]), "drums", Ok("b"));
    check_successor(&all, ("a", &[]), "vocals accompaniment", Ok("two"));
    check_successor(&all, ("b", &[]), "drums", Ok("a"));
    check_successor(&all, ("mini", &[]), "drums", Ok("a"));
    check_successor(&all, ("b", &["a"]), "drums", Err("lacks"));
    check_successor(&all, ("b", &["a", "two", "slow"]), "drums", Err("none"));
    all.circuit_breakers().failed("b", &broken("b"));
    check_successor(&all, ("a", &[]), "drums", Err("none"));
    check_successor(&chain(&["a"], &available), ("a", &[]), "drums", Err("none"));
    check_successor(&chain(&["a", "two"], &available), ("a", &[]), "drums", Err("lacks"));
}
