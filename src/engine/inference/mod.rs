//! Inference per model family: graphs in ONNX Runtime, and the spectra around them.

pub(crate) mod bag;
pub(crate) mod graph;
pub(crate) mod htdemucs;
pub(crate) mod residual;
pub mod spectra;
pub(crate) mod spleeter;
pub(crate) mod weights;
