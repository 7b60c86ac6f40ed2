//! Entry points of the fuzz targets in `tests/fuzz`.
//!
//! Each takes any bytes and passes them to one reader of untrusted input. Rejecting them is correct;
//! a panic, a hang or an allocation beyond the limits is a bug. `tests/it/fuzz.rs` passes the stored
//! inputs to the same functions.

use std::io::Cursor;

use crate::audio::wav;
use crate::audio::{Cover, SourceTags};
use crate::decode::Container;
use crate::decode::fuzzing as decode;
use crate::model::checkpoint::fuzzing as model;
use crate::model::checkpoint::pytorch::fuzzing::pytorch;
use crate::model::checkpoint::tensorflow::fuzzing as checkpoint;
use crate::model::registry::import::fuzzing as import;
use crate::server::fuzzing as rest;

/// Name and entry point of a target.
type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 19] = [
    ("decode_wav", |bytes| decode::container(Container::Wav, bytes)),
    ("decode_aiff", |bytes| decode::container(Container::Aiff, bytes)),
    ("decode_flac", |bytes| decode::container(Container::Flac, bytes)),
    ("decode_adts", |bytes| decode::container(Container::Adts, bytes)),
    ("decode_matroska", |bytes| decode::container(Container::Matroska, bytes)),
    ("decode_mp3", |bytes| decode::container(Container::Mp3, bytes)),
    ("decode_ogg", |bytes| decode::container(Container::Ogg, bytes)),
    ("decode_mp4", |bytes| decode::container(Container::Mp4, bytes)),
    ("decode_raw", decode::raw),
    ("tags", tags),
    ("wav_header", wav_header),
    ("checkpoint_archive", checkpoint::archive),
    ("checkpoint_table", checkpoint::table),
    ("pytorch", pytorch),
    ("safetensors", model::safetensors),
    ("configuration", configuration),
    ("onnx", model::onnx),
    ("form", rest::form),
    ("query", rest::query),
];

/// Runs the target of this name.
///
/// # Panics
/// If there is none of this name, and on a bug in the reader.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, entry) = target.unwrap_or_else(|| panic!("no fuzz target is named {name}"));
    entry(bytes);
}

/// The header of a WAV file that may be a finished stem.
fn wav_header(bytes: &[u8]) {
    let _ = wav::is_complete(Cursor::new(bytes));
}

/// The tags of an upload.
fn tags(bytes: &[u8]) {
    let tags = SourceTags::read(Cursor::new(bytes), bytes.len() as u64);
    assert_eq!(tags.clone().bounded(), tags);
    let _any = Cover::read(Cursor::new(bytes), bytes.len() as u64);
}

/// The configuration of an SCNet or a RoFormer.
fn configuration(bytes: &[u8]) {
    model::configuration(bytes);
    import::roformer(bytes);
}
