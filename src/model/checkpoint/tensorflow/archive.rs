//! The `.tar.gz` of a published checkpoint.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::Archive;

/// File with the table of tensors.
pub(super) const INDEX: &str = "model.index";
/// File with the values of the tensors.
pub(super) const VALUES: &str = "model.data-00000-of-00001";

/// Largest index that is read; the largest published one has 13 kB.
const MAX_INDEX: u64 = 1 << 20;
/// Largest file of values that is read; the largest published one has 197 MB.
const MAX_VALUES: u64 = 1 << 29;
/// Most bytes that an archive may unpack to; published ones also hold the training graph.
const MAX_UNPACKED: u64 = 1 << 30;
/// Most files of an archive; published ones have four or five.
const MAX_FILES: usize = 64;

/// The two files of a checkpoint that are read.
pub(super) struct CheckpointFiles {
    pub(super) index: Vec<u8>,
    pub(super) values: Vec<u8>,
}

/// Unpacks the two files in memory. Nothing is written, so paths in the archive can do no harm.
///
/// # Errors
/// The first fault, in words.
pub(super) fn read(archive: &[u8]) -> Result<CheckpointFiles, String> {
    let damaged = |error: io::Error| format!("the archive is damaged: {error}");
    let mut index = None;
    let mut values = None;
    let mut archive = Archive::new(GzDecoder::new(archive).take(MAX_UNPACKED));
    for (number, entry) in archive.entries().map_err(damaged)?.enumerate() {
        if number == MAX_FILES {
            return Err(format!("the archive holds more than {MAX_FILES} files"));
        }
        let entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?;
        let (name, slot, limit) = match path.file_name().and_then(|name| name.to_str()) {
            Some(INDEX) => (INDEX, &mut index, MAX_INDEX),
            Some(VALUES) => (VALUES, &mut values, MAX_VALUES),
            _ => continue,
        };
        if entry.size() > limit {
            return Err(format!("{name} has {} bytes, more than {limit}", entry.size()));
        }
        let size = entry.size();
        let mut bytes = Vec::new();
        entry.take(limit).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 != size {
            return Err(format!("the archive ends within {name}"));
        }
        if slot.replace(bytes).is_some() {
            return Err(format!("the archive holds {name} twice"));
        }
    }
    // Reading to the end verifies the checksum of the archive.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    let lacking = |name| format!("the archive holds no {name}");
    Ok(CheckpointFiles {
        index: index.ok_or_else(|| lacking(INDEX))?,
        values: values.ok_or_else(|| lacking(VALUES))?,
    })
}
