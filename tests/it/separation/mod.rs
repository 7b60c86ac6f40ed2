//! Whole separations with fake engines.

mod fallback;
mod silence;
#[cfg(unix)]
mod slots;
