//! LevelDB's sorted table, as far as TensorFlow writes it (leveldb/doc/table_format.md).
//!
//! The file ends with 48 bytes that say where the index lies: a block whose values say where the other
//! blocks lie. A block is entries, a list of restart points that only a search needs, and five bytes
//! more: how it is compressed, and its checksum. Read here by hand because the published reader of such
//! tables skips damaged blocks silently and panics on others; a checkpoint must be whole or refused.

use super::masked_crc;

/// The last eight bytes of every table.
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
const FOOTER: usize = 48;
/// Compression byte and checksum.
const TRAILER: usize = 5;
/// More entries than any checkpoint of this kind has.
const MAX_ENTRIES: usize = 65_536;

/// Keys with their values.
pub(super) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Longer than any variable's name.
const MAX_KEY: usize = 1024;

/// All entries, in the order of their keys, which are strictly ascending.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn read(file: &[u8]) -> Result<Entries, String> {
    let footer = file.len().checked_sub(FOOTER).map(|at| &file[at..]).ok_or("it is too short")?;
    let (mut handles, magic) = footer.split_at(FOOTER - 8);
    if magic != MAGIC.to_le_bytes() {
        return Err("it is no table".into());
    }
    let (meta_index, index) = (Handle::read(&mut handles)?, Handle::read(&mut handles)?);
    // Filters, of which TensorFlow writes none; looked at because damage is damage.
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

/// Where a block lies.
#[derive(Clone, Copy)]
struct Handle {
    offset: usize,
    size: usize,
}

impl Handle {
    fn read(bytes: &mut &[u8]) -> Result<Handle, String> {
        Ok(Handle { offset: varint(bytes)?, size: varint(bytes)? })
    }
}

/// The entries of one block, its checksum verified.
fn block(file: &[u8], at: Handle) -> Result<Entries, String> {
    let outside = "a block lies outside of the file";
    let end = at.offset.checked_add(at.size).ok_or(outside)?;
    let whole = file.get(at.offset..end.checked_add(TRAILER).ok_or(outside)?).ok_or(outside)?;
    let (checked, stored) = whole.split_at(at.size + 1);
    if masked_crc(checked).to_le_bytes() != *stored {
        return Err("a block's checksum is wrong".into());
    }
    let (content, compression) = checked.split_at(at.size);
    if compression != [0] {
        return Err("a block is compressed, which TensorFlow does not do".into());
    }
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

/// A number of seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Result<usize, String> {
    let number = prost::decode_length_delimiter(&mut *bytes);
    number.map_err(|_| "a number is damaged".into())
}
