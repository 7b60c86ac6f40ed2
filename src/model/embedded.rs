//! The models that are part of the binary. Their files are crates of their own, as the registry limits the size of a crate.

pub(super) use stemwire_model_mini as mini;
pub(super) use stemwire_model_mini_spleeter as mini_spleeter;
