use super::*;

/// The configuration of SCNet-large, as it is published.
const LARGE: &str = include_str!("../../../../tests/golden/configurations/scnet-large.yaml");

fn parse(text: &str) -> Result<ScnetConfiguration, String> {
    ScnetConfiguration::of(&Configuration::parse(text)?)
}

fn large() -> ScnetTopology {
    ScnetTopology {
        dims: vec![4, 64, 128, 256],
        band_shares: vec![0.225, 0.372, 0.403],
        ..ScnetTopology::default()
    }
}

#[test]
fn a_published_configuration_has_the_network_of_its_name() {
    let expected =
        ScnetConfiguration { topology: large(), sample_rate: Hertz(44_100), normalize: true };
    assert_eq!(parse(LARGE), Ok(expected));
}

#[test]
fn networks_are_compared_by_all_but_the_names_of_their_stems() {
    let small = ScnetTopology::default();
    assert_eq!(small.difference(&small), None);
    let difference = large().difference(&small).unwrap();
    assert_eq!(difference, "band_SR is [0.225,0.372,0.403], not [0.175,0.392,0.433]");
    let mut other = small.clone();
    other.sources[0] = "guitar".parse().unwrap();
    assert_eq!(other.difference(&small), None);
    other.sources.pop();
    assert_eq!(other.difference(&small).unwrap(), "3 sources, not 4");
    let shorter = ScnetTopology { chunk: 352_800, ..small.clone() };
    assert_eq!(shorter.difference(&small).unwrap(), "chunk is 352800, not 485100");
}

#[test]
fn what_another_network_would_need_is_refused_by_name() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(LARGE.contains(from), "{from}");
        let error = parse(&LARGE.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    };
    check("  expand: 1", "  expand: 1\n  masking: true", "unknown field `masking`");
    check("  expand: 1", "  expand: 1\n  chunk: 3", "unknown field `chunk`");
    check("  expand: 1", "  expand: '1'", "its model is not an SCNet");
    check("  expand: 1", "  expand: 17", "expand is 17, not 1..=16");
    check("  nfft: 4096", "  nfft: 4095", "nfft 4095 is not a power of two");
    check("  nfft: 4096", "  nfft: 8192", "hop_size 1024 not a quarter");
    check("  nfft: 4096", "  nfft: 99999999999999999999", "its model is not an SCNet");
    check("win_size: 4096", "win_size: 2048", "model.win_size is 2048; only 4096");
    check("normalized: true", "normalized: false", "model.normalized is false; only true");
    check("audio_channels: 2", "audio_channels: 1", "model.audio_channels is 1; only 2");
    check("num_channels: 2", "num_channels: 1", "audio.num_channels is 1; only 2");
    check("sample_rate: 44100", "sample_rate: 1", "audio.sample_rate 1 is not supported");
    check("sample_rate: 44100", "sample_rate: x", "audio.sample_rate is \"x\"");
    check("chunk_size: 485100", "chunk_size: 0", "chunk_size is 0");
    check("  chunk_size: 485100\n", "", "audio.chunk_size is missing");
    check("  normalize: true", "  chunk_size: x", "its model is not an SCNet");
    check("  - 256\n", "  - 5000\n", "dims has the value 5000, not 1..=4096");
    check("  dims:\n  - 4\n", "  dims:\n  - 2\n", "dims[0] is 2");
    check("  - 0.403\n", "  - 0.5\n", "does not sum to 1");
    check("  - 0.403\n", "", "band_stride has 3 values, not 2..=2");
    check("conv_depths:\n  - 3", "conv_depths:\n  - 17", "conv_depths has the value 17");
    check("normalize: true", "normalize: 1", "inference.normalize is 1, not true or false");
    check("- vocals", "- ../vocals", "stem name");
    check("target_instrument: null", "target_instrument: vocals", "training has the instruments");
    check("inference:", "predictions:", "no section inference");
}

#[test]
fn the_track_is_normalised_only_if_the_configuration_asks_for_it() {
    for (from, to) in [("normalize: true", "normalize: false"), ("  normalize: true", "")] {
        assert!(!parse(&LARGE.replacen(from, to, 1)).unwrap().normalize);
    }
}

#[test]
fn stems_have_the_names_of_this_program() {
    let spelled = "instruments: [Drums, Bass, Other, Vocals]";
    let text = LARGE.replacen("instruments: *id001", spelled, 1);
    assert_eq!(parse(&text), parse(LARGE));
    let text = text.replacen("- vocals", "- Vocals", 1);
    assert_eq!(parse(&text), parse(LARGE));
    let text = text.replacen("Bass, Other", "Other, Bass", 1);
    assert!(parse(&text).unwrap_err().contains("training has the instruments"));
}

#[test]
fn what_only_training_needs_is_ignored() {
    let text = LARGE
        .replacen("  use_amp: true", "  use_amp: false\n  lr: 5.0e-05\n  other: [1, {a: b}]", 1)
        .replacen("  min_mean_abs: 0.0", "  min_mean_abs: 0.001\n  dim_f: 7", 1);
    assert_eq!(parse(&format!("{text}\naugmentations:\n  enable: true\n")), parse(LARGE));
    // Missing arguments have the defaults of the authors.
    let text = LARGE.replacen("  num_dplayer: 6\n  expand: 1\n", "", 1);
    assert_eq!(parse(&text), parse(LARGE));
}
