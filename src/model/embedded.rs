//! The files of the models that are part of the binary, from the repository's `models/`.

pub(crate) static MINI_CARD: &str = include_str!("../../models/mini/card.toml");
pub(crate) static MINI_GRAPH: &[u8] = include_bytes!("../../models/mini/graph.onnx");
pub(crate) static MINI_WEIGHTS: &[u8] = include_bytes!("../../models/mini/weights.safetensors");
pub(crate) static MINI_SPLEETER_CARD: &str = include_str!("../../models/mini-spleeter/card.toml");
pub(crate) static MINI_SPLEETER_GRAPH: &[u8] =
    include_bytes!("../../models/mini-spleeter/graph.onnx");
pub(crate) static MINI_SPLEETER_WEIGHTS: &[u8] =
    include_bytes!("../../models/mini-spleeter/weights.safetensors");
