//! The sorted table of LevelDB, as far as TensorFlow writes it (leveldb/doc/table_format.md).
//!
//! The last 48 bytes of the file hold the position of the index: a block whose values are the positions of the other
//! blocks. A block is entries, a list of restart points that only searches need, and five bytes: the compression and a
//! checksum. The crate `sstable` is not used because it skips some damaged blocks silently and panics on others; a damaged
//! checkpoint must be refused.

use super::masked_crc;

/// The last eight bytes of every table.
pub(super) const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
pub(super) const FOOTER: usize = 48;
/// Bytes of compression and checksum behind a block.
pub(super) const TRAILER: usize = 5;
/// Most entries; published checkpoints have a few hundred.
const MAX_ENTRIES: usize = 65_536;

/// Keys and values.
pub(super) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Longest key, in bytes.
const MAX_KEY: usize = 1024;

/// Reads all entries, in strictly ascending order of their keys.
///
/// # Errors
/// The first fault, in words.
pub(super) fn read(file: &[u8]) -> Result<Entries, String> {
    let footer = file.len().checked_sub(FOOTER).map(|at| &file[at..]).ok_or("it is too short")?;
    let (mut handles, magic) = footer.split_at(FOOTER - 8);
    if magic != MAGIC.to_le_bytes() {
        return Err("it is not a table".into());
    }
    let (meta_index, index) = (Handle::read(&mut handles)?, Handle::read(&mut handles)?);
    // The block of filters. TensorFlow writes none, but a damaged block is damage.
    block(file, meta_index)?;
    let mut entries: Entries = Vec::new();
    for (_, value) in block(file, index)? {
        for (key, value) in block(file, Handle::read(&mut value.as_slice())?)? {
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err("its keys are not in order".into());
            }
            entries.push((key, value));
            if entries.len() > MAX_ENTRIES {
                return Err(format!("it has more than {MAX_ENTRIES} entries"));
            }
        }
    }
    Ok(entries)
}

/// Position of a block.
#[derive(Clone, Copy)]
pub(super) struct Handle {
    pub(super) offset: usize,
    pub(super) size: usize,
}

impl Handle {
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Handle, String> {
        Ok(Handle { offset: varint(bytes)?, size: varint(bytes)? })
    }
}

/// Reads the entries of one block and verifies its checksum.
fn block(file: &[u8], at: Handle) -> Result<Entries, String> {
    let outside = "a block is outside of the file";
    let end = at.offset.checked_add(at.size).ok_or(outside)?;
    let whole = file.get(at.offset..end.checked_add(TRAILER).ok_or(outside)?).ok_or(outside)?;
    let (checked, stored) = whole.split_at(at.size + 1);
    if masked_crc(checked).to_le_bytes() != *stored {
        return Err("a block's checksum is wrong".into());
    }
    let (content, compression) = checked.split_at(at.size);
    if compression != [0] {
        return Err("a block is compressed, which is not supported".into());
    }
    entries(content)
}

/// Reads the entries in the content of one block.
pub(super) fn entries(content: &[u8]) -> Result<Entries, String> {
    // The restart points and their count, four bytes each.
    let count =
        content.last_chunk().map(|count| u32::from_le_bytes(*count)).ok_or("a block is empty")?;
    let restarts = (count as usize).checked_add(1).and_then(|words| words.checked_mul(4));
    let length = restarts.and_then(|restarts| content.len().checked_sub(restarts));
    let mut rest = &content[..length.ok_or("a block's end is damaged")?];
    let mut entries: Entries = Vec::new();
    while !rest.is_empty() {
        let (shared, own, value) = (varint(&mut rest)?, varint(&mut rest)?, varint(&mut rest)?);
        let before = entries.last().map_or(&[][..], |(key, _)| key);
        let mut key = before.get(..shared).ok_or("a key continues none")?.to_vec();
        key.extend(take(&mut rest, own)?);
        if key.len() > MAX_KEY || entries.len() == MAX_ENTRIES {
            return Err(format!(
                "it has more than {MAX_ENTRIES} entries, or a key of {} bytes",
                key.len()
            ));
        }
        entries.push((key, take(&mut rest, value)?.to_vec()));
    }
    Ok(entries)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (head, tail) = bytes.split_at_checked(count).ok_or("an entry reaches beyond its block")?;
    *bytes = tail;
    Ok(head)
}

/// Reads a number in base 128, lowest digit first.
fn varint(bytes: &mut &[u8]) -> Result<usize, String> {
    let number = prost::decode_length_delimiter(&mut *bytes);
    number.map_err(|_| "a number is damaged".into())
}
