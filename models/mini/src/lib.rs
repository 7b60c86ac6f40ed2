//! The files of the model `mini`, which Stemwire embeds.

/// Name, stems, sample rate, segments and hashes, in TOML.
pub static CARD: &str = include_str!("../card.toml");

/// The network without its weights, as ONNX.
pub static GRAPH: &[u8] = include_bytes!("../graph.onnx");

/// The weights as 16-bit floats, in safetensors.
pub static WEIGHTS: &[u8] = include_bytes!("../weights.safetensors");
