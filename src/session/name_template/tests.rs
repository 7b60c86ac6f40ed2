use std::path::{Component as PathComponent, Path};

use proptest::prelude::*;

use super::*;

fn tags(text: &str, number: Option<u32>) -> SourceTags {
    let text = Some(text.to_owned()).filter(|text| !text.is_empty());
    SourceTags {
        title: text.clone(),
        artist: text.clone(),
        album: text,
        track_number: number,
        ..SourceTags::default()
    }
}

/// The path that a template gives, below the output folder.
fn path(template: &str, tags: Option<&SourceTags>, source: &str) -> Option<String> {
    let template: NameTemplate = template.parse().unwrap();
    let values = NameValues { source, model: Some("mini"), tags };
    let drums = "drums".parse().unwrap();
    let path = template.path(values, &drums);
    // The parts are those of the whole.
    let file = template.file(values, &drums)?;
    let folder = template.folder(values).map(|(parent, name)| parent.join(name));
    if folder.is_some() || template.depth() == 0 {
        let joined = folder.unwrap_or_default().join(file);
        assert_eq!(path.as_deref(), Some(&*joined.to_string_lossy().replace('\\', "/")));
    }
    path
}

#[track_caller]
fn check(template: &str, tags: &SourceTags, expected: &str) {
    assert_eq!(path(template, Some(tags), "my song").as_deref(), Some(expected));
}

#[test]
fn placeholders_stand_for_the_song_and_its_tags() {
    let full = tags("AC/DC", Some(3));
    check("{stem}", &full, "drums");
    check("{track}-{stem}", &full, "03-drums");
    check("{artist}/{title} [{model}]/{source} {stem}", &full, "ACDC/ACDC [mini]/my song drums");
    let none = SourceTags::default();
    let expected = "Unknown artist/Unknown album/my song/00 drums";
    check("{artist}/{album}/{title}/{track} {stem}", &none, expected);
    check("{title}/{stem}", &tags("../..", None), "song/drums");
    check("{title}/{stem}", &tags("con", None), "_con/drums");
    assert_eq!(path("{title}/{stem}", None, "a"), None);
    assert_eq!(path("{source}/{stem}", None, "a").as_deref(), Some("a/drums"));
}

#[track_caller]
fn check_refused(template: &str, part: &str) {
    let error = template.parse::<NameTemplate>().unwrap_err().to_string();
    assert!(error.contains(part), "{template:?}: {error}");
}

#[test]
fn templates_are_checked() {
    check_refused(
        "{name}-{stem}",
        "{title}, {artist}, {album}, {track}, {source}, {model}, {stem}",
    );
    check_refused("{title", "pairs");
    check_refused("title}", "pairs");
    check_refused("{title}", "needs {stem}");
    check_refused("", "every system");
    check_refused("{stem}/{title}", "needs {stem}");
    check_refused("{stem}/{stem}", "folders have none");
    for outside in ["../{stem}", "/{stem}", "a//{stem}", "./{stem}", "a\\{stem}", "{stem}/"] {
        check_refused(outside, "every system");
    }
    check_refused("a:b {stem}", "a_b");
    check_refused(&format!("{}{{stem}}", "x".repeat(190)), "every system");
}

proptest! {
    #[test]
    fn no_song_leaves_the_output_folder_or_loses_the_stem(text in "(\\PC|[./\\\\ \u{0}-\u{20}]){0,300}") {
        let template = "{artist}/{title}/{title}{album}{source} {stem}";
        let found = path(template, Some(&tags(&text, None)), &folder_name(&text)).unwrap();
        let components: Vec<_> = Path::new(&found).components().collect();
        prop_assert!(components.len() == 3, "{found:?}");
        prop_assert!(components.iter().all(|c| matches!(c, PathComponent::Normal(name) if name.len() <= MAX_BYTES + 1)));
        prop_assert!(found.ends_with("drums"), "{found:?}");
    }
}
