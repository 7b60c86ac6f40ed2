//! Whole separations, by engines that are scripted.

mod fallback;
#[cfg(unix)]
mod places;
mod silence;
