//! Whole separations with fake engines.

mod clients;
mod commit_points;
mod crashes;
mod ensemble;
mod fallback;
mod families;
mod healing;
mod parking;
mod shortage;
mod silence;
mod silent_passages;
#[cfg(unix)]
mod slots;
