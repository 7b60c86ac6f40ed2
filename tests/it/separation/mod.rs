//! Whole separations with fake engines.

mod crashes;
mod fallback;
mod shortage;
mod silence;
#[cfg(unix)]
mod slots;
