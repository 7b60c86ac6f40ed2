//! Whole separations, by engines that are scripted.

mod fallback;
mod silence;
#[cfg(unix)]
mod slots;
