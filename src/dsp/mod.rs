//! The signal processing between a track and a model, independent of any model.
//!
//! A track is cut into overlapping [`segments`]; models see their samples or spectra ([`stft`]) and
//! return stems or [`mask`]s; the stems of overlapping segments are summed with weights
//! ([`overlap`]), and cross-faded where another model continues ([`fade`]). [`score`] compares stems
//! with the true ones.

pub mod fade;
pub mod mask;
pub mod overlap;
pub mod score;
pub mod segments;
pub mod stft;

pub use fade::FadeOut;
pub use overlap::OverlapAdd;
pub use score::Score;
pub use segments::{Segment, Segmentation};
pub use stft::Stft;
