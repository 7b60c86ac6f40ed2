//! Rung 0 and 1: what sound is here, and how it gets in and out of files.
//!
//! [`units`], [`block`], [`pcm`] and [`stem`] know nothing but numbers, [`device_names`] nothing but names; the rooms beside them turn
//! bytes into blocks ([`decode`]), change the rate ([`resample`]), do both ([`track`]) and write WAV
//! files that grow (`wav`) and FLAC files ([`flac`]).

pub mod block;
pub mod decode;
pub mod device_names;
pub mod flac;
pub mod pcm;
pub mod resample;
pub mod stem;
pub mod track;
pub mod units;
pub mod wav;

pub use block::Stereo;
pub use device_names::is_device_name;
pub use pcm::Encoding;
pub use stem::StemName;
pub use units::{Frames, Hertz};
