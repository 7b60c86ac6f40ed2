use super::*;
use crate::audio::StemName;
use crate::model::checkpoint::configuration::Configuration;
use crate::model::onnx::Graph;

const KIM: &str = include_str!("../../../models/melband-kim/config.yaml");
const VIPERX: &str = include_str!("../../../models/bs-roformer-viperx/config.yaml");

fn topology(text: &str) -> Result<RoformerTopology, String> {
    RoformerTopology::of(&Configuration::parse(text).unwrap())
}

/// Number and values of the tensors of a network.
fn tensors(text: &str) -> (usize, usize) {
    let graph = build_graph(&topology(text).unwrap());
    let open = Graph::parse(&graph).unwrap().open_initialisers();
    (open.len(), open.values().map(|shape| shape.iter().product::<usize>()).sum())
}

// The published files have 684 tensors of 912,812,688 bytes and 699 of 639,035,184.
#[test]
fn the_published_networks_have_the_tensors_of_their_files() {
    assert_eq!(tensors(KIM), (684, 912_812_688 / 4));
    assert_eq!(tensors(VIPERX), (699, 639_035_184 / 4));
}

#[test]
fn a_model_of_many_stems_has_a_mask_estimator_for_each() {
    let six = VIPERX
        .replace("num_stems: 1", "num_stems: 6")
        .replace("[vocals, other]", "[Bass, drums, other, vocals, guitar, Lead Vocals]")
        .replace("target_instrument: vocals", "target_instrument: null");
    let topology = topology(&six).unwrap();
    assert_eq!(topology.stems.last().unwrap().as_str(), "lead_vocals");
    let graph = Graph::parse(&build_graph(&topology)).unwrap();
    assert_eq!(graph.port("stem_spectrograms"), Some(vec![1, 6, 4, 1025, 801]));
    let open = graph.open_initialisers();
    assert_eq!(open["mask_estimators.5.to_freqs.61.0.2.weight"], [1032, 2048]);
}

#[test]
fn instruments_have_the_names_of_this_program() {
    for (instruments, target, expected) in [
        ("[karaoke, other]", "karaoke", &["lead_vocals"][..]),
        ("[Lead, Back]", "null", &["lead_vocals", "backing_vocals"]),
        ("[lead-vocals, backing-vocals]", "null", &["lead_vocals", "backing_vocals"]),
        ("[back-vocal, lead-vocal]", "null", &["backing_vocals", "lead_vocals"]),
        ("[Vocals, Instrumental]", "null", &["vocals", "accompaniment"]),
        ("[Vocals, Instrumental]", "Instrumental", &["accompaniment"]),
        ("[acoustic-guitar, other]", "acoustic-guitar", &["acoustic-guitar"]),
    ] {
        let text = VIPERX
            .replace("num_stems: 1", &format!("num_stems: {}", expected.len()))
            .replace("[vocals, other]", instruments)
            .replace("target_instrument: vocals", &format!("target_instrument: {target}"));
        let stems = topology(&text).unwrap().stems;
        assert_eq!(stems.iter().map(StemName::as_str).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn segments_are_those_of_inference() {
    let text = KIM.replace("num_overlap: 2", "chunk_size: 882000");
    assert_eq!((topology(KIM).unwrap().chunk, topology(&text).unwrap().chunk), (352_800, 882_000));
}

#[test]
fn the_layers_of_the_masks_are_counted_in_the_file() {
    let mut topology = topology(VIPERX).unwrap();
    let own = topology.clone();
    topology.fit_masks(&Shapes::new());
    assert_eq!(topology, own);
    let name = |layer: usize| format!("mask_estimators.0.to_freqs.0.0.{}.weight", 2 * layer);
    topology.fit_masks(&(0..3).map(|layer| (name(layer), vec![1, 1])).collect());
    assert_eq!((own.mask_layers, topology.mask_layers), (2, 3));
}

#[track_caller]
fn check_refused(from: &str, to: &str, expected: &str) {
    for text in [KIM, VIPERX] {
        if text.contains(from) {
            let error = topology(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
            assert!(error.len() < 300, "{error}");
        }
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    check_refused("  dim: ", "  masking: true\n  dim: ", "unknown field `masking`");
    check_refused("  stereo: true\n", "", "model.stereo is false");
    check_refused("  dim: ", "  use_shared_bias: true\n  dim: ", "model.use_shared_bias is true");
    check_refused("  dim: ", "  skip_connection: true\n  dim: ", "model.skip_connection is true");
    check_refused(
        "  dim: ",
        "  linear_transformer_depth: 1\n  dim: ",
        "linear_transformer_depth is 1",
    );
    check_refused("win_length: 2048", "win_length: 1024", "model.stft_win_length is 1024");
    check_refused("n_fft: 2048\n  stft", "n_fft: 2000\n  stft", "2000 is not a power of two");
    check_refused("num_overlap: 2", "normalize: true", "inference.normalize is true");
    check_refused(
        "target_instrument: vocals",
        "target_instrument: null",
        "2 instruments, but model.num_stems is 1",
    );
    check_refused(
        "target_instrument: vocals",
        "target_instrument: ../vocals",
        "is not a stem name",
    );
    check_refused(
        "num_bands: 60",
        "num_bands: 60\n  freqs_per_bands: [1025]",
        "has freqs_per_bands and num_bands",
    );
    check_refused("[2, 2, 2", "[3, 2, 2", "freqs_per_bands sums to 1026");
}

#[test]
fn hostile_numbers_are_refused_before_a_graph_is_made() {
    for number in ["0", "-1", "1e300", "18446744073709551615", "x", "[1]", "1000000"] {
        check_refused("  depth: ", &format!("  depth: {number} #"), "model.depth is ");
        check_refused("num_stems: 1", &format!("num_stems: {number}"), "model.num_stems is ");
        check_refused("dim_head: 64", &format!("dim_head: {number}"), "model.dim_head is ");
        check_refused("num_bands: 60", &format!("num_bands: {number}"), "model.num_bands is ");
    }
    let long = format!("num_stems: {}", "x".repeat(10_000));
    check_refused("num_stems: 1", &long, "model.num_stems is ");
    check_refused("chunk_size: 352800", "chunk_size: 999999999", "audio.chunk_size is 999999999");
    check_refused("chunk_size: 352800", "chunk_size: 60000000", "tokens, more than 262144");
    check_refused("num_overlap: 2", "chunk_size: 60000000", "tokens, more than 262144");
    check_refused("num_overlap: 2", "chunk_size: x", "inference.chunk_size is \"x\"");
    check_refused("  depth: ", "  depth: 64 #", "128 transformer layers, more than 96");
    check_refused("dim_head: 64", "dim_head: 63", "dim_head 63 is odd");
}

/// The largest network that is accepted has a graph of a few megabytes.
#[test]
fn the_graph_of_the_largest_network_is_small() {
    let largest = VIPERX
        .replace("depth: 12", "depth: 48")
        .replace("num_stems: 1", "num_stems: 16")
        .replace("target_instrument: vocals", "target_instrument: null")
        .replace(
            "[vocals, other]",
            "[a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5]",
        )
        .replace("mask_estimator_depth: 2", "mask_estimator_depth: 7")
        .replace("352800", "1764000");
    assert!(build_graph(&topology(&largest).unwrap()).len() < 32 << 20);
}
