//! Whole separations with fake engines.

mod fallback;
mod shortage;
mod silence;
#[cfg(unix)]
mod slots;
