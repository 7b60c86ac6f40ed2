use super::*;

const CARD: &str = r#"
    name = "tiny"
    title = "Tiny"
    family = "htdemucs"
    stems = ["drums", "vocals"]
    sample_rate = 44100
    segment = 343980
    overlap = 0.25
    licence = "MIT"
    stft = { size = 4096, hop = 1024 }
    graph = { file = "graph.onnx", sha256 = "HASH" }
    weights = { file = "weights.safetensors", sha256 = "HASH" }
"#;

#[track_caller]
fn check(from: &str, to: &str, expected: Result<(), &str>) {
    let text = CARD.replace("HASH", &"0".repeat(64)).replace(from, to);
    match (ModelCard::parse(&text, "card.toml"), expected) {
        (Ok(_), Ok(())) => {}
        (Err(error), Err(part)) => {
            assert!(error.to_string().contains(part), "{error} lacks {part:?}");
        }
        (parsed, _) => panic!("{to:?} gave {parsed:?}"),
    }
}

#[test]
fn cards_are_checked_when_read() {
    check("", "", Ok(()));
    check("segment = 343980", "segment = 0", Err("segment of 0 frames"));
    check("overlap = 0.25", "overlap = 1.0", Err("overlap"));
    check("44100", "0", Err("0 Hz"));
    check("hop = 1024", "hop = 7", Err("hop"));
    check("\"graph.onnx\"", "\"../graph.onnx\"", Err("plain file name"));
    check("[\"drums\", \"vocals\"]", "[]", Err("stems"));
    check("\"drums\"", "\"vocals\"", Err("twice"));
    check("\"drums\"", "\"../drums\"", Err("stem name"));
    check("licence", "license", Err("license"));
    check("licence", "residual_shares = [1.0, 0.0]\nlicence", Ok(()));
    check("licence", "residual_shares = [1.0]\nlicence", Err("residual_shares"));
    check("licence", "provider = \"auto\"\nlicence", Ok(()));
    check("licence", "provider = \"openvino\"\nlicence", Ok(()));
    check("licence", "provider = \"abacus\"\nlicence", Err("choose auto, cpu, openvino or cuda"));
    check("\"htdemucs\"", "\"wavenet\"", Err("wavenet"));
    check("\"htdemucs\"", "\"onnx\"", Err("its own weights"));
    check("stft = ", "# ", Err("stft"));
    check("weights = ", "# ", Err("weights"));
}

#[test]
fn figures_of_quality_and_commercial_use_are_optional() {
    let quality = |sdr: &str, source: &str| {
        format!(
            "quality = [{{ data = \"songs\", source = {source:?}, sdr = {{ {sdr} }} }}]\nlicence"
        )
    };
    check("licence", "commercial_use = true\nlicence", Ok(()));
    check("licence", "commercial_use = \"yes\"\nlicence", Err("commercial_use"));
    check("licence", &quality("drums = 9.5, vocals = 8", "a paper"), Ok(()));
    check("licence", &quality("drums = nan", "a paper"), Err("finite"));
    check("licence", &quality("piano = 9.5", "a paper"), Err("no stem of the model"));
    check("licence", &quality("drums = 9.5", ""), Err("source"));
    check("licence", &quality("", "a paper"), Err("sdr of a stem"));
    let text = CARD.replace("HASH", &"0".repeat(64));
    let text = text.replace("licence", &quality("drums = 9.5", "a paper"));
    let card =
        ModelCard::parse(&text.replace("licence", "commercial_use = false\nlicence"), "").unwrap();
    assert_eq!(ModelCard::parse(&card.to_toml().unwrap(), "").unwrap(), card);
}

#[test]
fn a_bag_has_a_file_for_each_stem() {
    let single = r#"weights = { file = "weights.safetensors", sha256 = "HASH" }"#;
    let bag = |stems: &[&str]| -> String {
        let file = |stem: &&str| {
            format!("[[weights]]\nfile = \"{stem}\"\nsha256 = \"HASH\"\nstem = \"{stem}\"\n")
        };
        stems.iter().map(file).collect::<String>().replace("HASH", &"0".repeat(64))
    };
    let single = single.replace("HASH", &"0".repeat(64));
    check(&single, &bag(&["vocals", "drums"]), Ok(()));
    check(&single, &bag(&["vocals", "vocals"]), Err("one for each stem"));
    check(&single, &bag(&["vocals"]), Err("one for each stem"));
    check(&single, &bag(&["vocals", "bass"]), Err("one for each stem"));
}

#[test]
fn spleeters_segments_are_whole_columns() {
    let spleeter = |segment: &str, rest: &str| {
        let text = CARD.replace("HASH", &"0".repeat(64)).replace("\"htdemucs\"", "\"spleeter\"");
        let text = text.replace("segment = 343980", segment).replace("overlap = 0.25", rest);
        ModelCard::parse(&text, "").map_err(|error| error.to_string())
    };
    let card = spleeter("segment = 527360", "overlap = 0\nblend = \"sum\"").unwrap();
    assert_eq!(card.segmentation(0.5).stride(), Frames(512 * 1024));
    for (segment, rest, expected) in [
        ("segment = 527361", "overlap = 0\nblend = \"sum\"", "or more columns"),
        ("segment = 4096", "overlap = 0\nblend = \"sum\"", "or more columns"),
        ("segment = 527360", "overlap = 0.25\nblend = \"sum\"", "must be 0"),
        ("segment = 527360", "overlap = 0.25", "blend"),
    ] {
        let error = spleeter(segment, rest).unwrap_err();
        assert!(error.contains(expected), "{error} lacks {expected:?}");
    }
}

#[test]
fn scnets_have_one_file_of_weights_and_no_shares() {
    let scnet = |from: &str, to: &str| {
        let text = CARD.replace("HASH", &"0".repeat(64)).replace("\"htdemucs\"", "\"scnet\"");
        ModelCard::parse(&text.replace(from, to), "").map_err(|error| error.to_string())
    };
    assert!(scnet("", "").unwrap().is_normalised());
    assert!(!scnet("licence", "normalize = false\nlicence").unwrap().is_normalised());
    for (from, to, expected) in [
        ("stft = ", "# ", "stft"),
        ("weights = ", "# ", "one file of weights"),
        ("licence", "blend = \"sum\"\nlicence", "blend"),
        ("licence", "residual_shares = [1.0, 0.0]\nlicence", "residual_shares"),
    ] {
        let error = scnet(from, to).unwrap_err();
        assert!(error.contains(expected), "{error} lacks {expected:?}");
    }
}

#[test]
fn everything_but_a_stem_needs_that_stem() {
    let card = ModelCard::parse(&CARD.replace("HASH", &"0".repeat(64)), "").unwrap();
    assert!(card.yields(&StemName::accompaniment()));
    assert!(card.yields(&"no_vocals".parse().unwrap()));
    assert!(!card.yields(&"piano".parse().unwrap()) && !card.yields(&"no_piano".parse().unwrap()));
    let text = CARD.replace("HASH", &"0".repeat(64)).replace("\"vocals\"", "\"bass\"");
    assert!(!ModelCard::parse(&text, "").unwrap().yields(&StemName::accompaniment()));
}
