//! Inference: one module per model family, around a graph in ONNX Runtime.
//!
//! [`mod@load`] opens a model. [`htdemucs`], [`mdx`], [`spectral`] and [`spleeter`] are families, [`bag`] a set of specialists of one. They
//! share [`graph`], [`weights`], [`spectra`] and [`residual`].

mod bag;
mod graph;
mod htdemucs;
mod load;
mod mdx;
mod residual;
pub mod spectra;
mod spectral;
mod spleeter;
mod weights;

pub use load::load;
pub use weights::is_loaded;
