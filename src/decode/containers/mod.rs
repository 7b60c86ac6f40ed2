//! Containers: from the bytes of an upload to the packets of its audio track.

pub(super) mod aiff;
pub(super) mod flac;
pub(super) mod mp4;
pub(super) mod mpeg;
pub(super) mod ogg;
pub(super) mod raw;
pub(super) mod riff;
pub(super) mod tags;
pub(super) mod wave_format;
