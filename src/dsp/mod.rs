//! Rung 1: the arithmetic between a track and a model.
//!
//! Models see spectrograms and fixed windows of a track; what they say about each window is added up
//! to stems. None of this knows what a model is: windows are data ([`segments`]), spectra are slices
//! ([`stft`]), shares of them are masks ([`mask`]), and overlapping answers are sums with weights ([`overlap`]),
//! of which one fades out where another model goes on ([`fade`]). What came out is held against the truth by [`score`].

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
