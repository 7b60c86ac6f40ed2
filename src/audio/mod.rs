//! Rung 0 and 1: what sound is here, and how it gets in and out of files.
//!
//! [`units`], [`block`], [`pcm`] and [`stem`] know nothing but numbers; the rooms beside them turn
//! bytes into blocks ([`decode`]), change the rate ([`resample`]), do both ([`track`]) and write WAV
//! files that grow (`wav`) and FLAC files ([`flac`]).

pub mod block;
pub mod decode;
pub mod flac;
pub mod pcm;
pub mod resample;
pub mod stem;
pub mod track;
pub mod units;
pub mod wav;

pub use block::Stereo;
pub use pcm::Encoding;
pub use stem::StemName;
pub use units::{Frames, Hertz};
