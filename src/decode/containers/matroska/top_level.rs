//! The elements of a segment, read one after the other without those in between.

use std::io::{self, Read, Seek, SeekFrom};

use super::ebml::Element;
use super::{EBML, SEGMENT};

/// Longest header of an element.
const HEAD_BYTES: u64 = 12;

/// Calls `take` with the id and the content of each element of these kinds of at most `longest` bytes, up to the first for
/// which it returns `false`.
///
/// # Errors
/// I/O errors.
pub(super) fn read(
    from: &mut (impl Read + Seek),
    kinds: &[u32],
    longest: u64,
    mut take: impl FnMut(u32, Vec<u8>) -> bool,
) -> io::Result<()> {
    let mut at = 0;
    loop {
        from.seek(SeekFrom::Start(at))?;
        let mut head = Vec::new();
        from.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
        let Some((Element { id, size }, length)) = Element::parse(&head) else { return Ok(()) };
        let start = at.saturating_add(length as u64);
        match (id, size) {
            // Its children are read as if they were beside it.
            (SEGMENT, _) => {
                at = start;
                continue;
            }
            (_, Some(size)) if kinds.contains(&id) && size <= longest => {
                from.seek(SeekFrom::Start(start))?;
                let mut content = Vec::new();
                from.by_ref().take(size).read_to_end(&mut content)?;
                if !take(id, content) {
                    return Ok(());
                }
            }
            (EBML, Some(_)) if at == 0 => {}
            // The next file of a chain, or damage.
            (EBML, _) | (_, None) => return Ok(()),
            _ => {}
        }
        at = start.saturating_add(size.unwrap_or(0));
    }
}
