//! Fuzz targets of TensorFlow checkpoints.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::archive::CheckpointFiles;
use super::table::{Entries, FOOTER, Handle, MAGIC, TRAILER, entries};

/// A tar archive, packed without compression.
pub(crate) fn archive(tar: &[u8]) {
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    let packed = packed.write_all(tar).and_then(|()| packed.finish());
    drop(super::read(&packed.expect("writing to memory succeeds")));
}

/// An index, whose checksums are corrected, for 256 bytes of values.
pub(crate) fn table(index: &[u8]) {
    let mut index = index.to_vec();
    // Most inputs have no valid table, which is tested as well.
    let _ = mend(&mut index);
    let values = (0..=u8::MAX).collect();
    drop(super::tensors(&CheckpointFiles { index, values }));
}

/// Corrects the checksums of all blocks that can be found.
fn mend(file: &mut [u8]) -> Option<()> {
    let footer = file.len().checked_sub(FOOTER)?;
    file[footer + FOOTER - 8..].copy_from_slice(&MAGIC.to_le_bytes());
    let handles = file[footer..footer + FOOTER - 8].to_vec();
    let mut handles = handles.as_slice();
    mend_block(file, Handle::read(&mut handles).ok()?);
    let index = Handle::read(&mut handles).ok()?;
    for (_, value) in mend_block(file, index)? {
        mend_block(file, Handle::read(&mut value.as_slice()).ok()?);
    }
    // The data blocks may overlap the index.
    mend_block(file, index).map(drop)
}

fn mend_block(file: &mut [u8], at: Handle) -> Option<Entries> {
    let end = at.offset.checked_add(at.size)?.checked_add(TRAILER)?;
    let block = file.get_mut(at.offset..end)?;
    block[at.size] = 0;
    let (checked, stored) = block.split_at_mut(at.size + 1);
    stored.copy_from_slice(&super::masked_crc(checked).to_le_bytes());
    entries(&checked[..at.size]).ok()
}
