//! Resampling.

mod resample;
