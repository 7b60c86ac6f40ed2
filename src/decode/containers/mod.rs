//! Containers: one demuxer per file format, from the bytes of an upload to the packets of its audio.
//!
//! These are our own and not Symphonia's readers, which lose audio or its position: docs/ARCHITECTURE.md,
//! "Own code against libraries", has the comparison.

mod aac;
pub(super) mod adts;
pub(super) mod aiff;
pub(super) mod flac;
pub(super) mod matroska;
pub(super) mod mp3;
pub(super) mod mp4;
pub(super) mod ogg;
mod pcm;
pub(super) mod raw;
pub(super) mod tags;
pub(super) mod wav;
