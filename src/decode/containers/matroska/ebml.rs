//! EBML (RFC 8794): elements of an identifier, a size and a content.

use std::io;

use crate::decode::reader::ByteReader;

/// Header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) id: u32,
    /// Bytes of the content; `None` if unknown, as live streams write it.
    pub(super) size: Option<u64>,
}

impl Element {
    /// Reads the header at the position and advances behind it. `None`, without advancing, if the upload
    /// ends or there is no element.
    pub(super) fn read(bytes: &mut ByteReader) -> io::Result<Option<Element>> {
        let head = bytes.peek(12)?;
        let Some((element, length)) = Element::parse(head) else { return Ok(None) };
        bytes.skip(length as u64);
        Ok(Some(element))
    }

    /// The header that begins here, and its length.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Element, usize)> {
        let id_bytes = bytes.first()?.leading_zeros() as usize + 1;
        if id_bytes > 4 {
            return None;
        }
        let id = bytes.get(..id_bytes)?.iter().fold(0, |id, &byte| id << 8 | u32::from(byte));
        let (size, size_bytes) = number(&bytes[id_bytes..])?;
        Some((Element { id, size }, id_bytes + size_bytes))
    }

    /// The children in a content, with theirs; ends where one is cut.
    pub(super) fn children(content: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
        let mut rest = content;
        std::iter::from_fn(move || {
            let (element, length) = Element::parse(rest)?;
            let end = length.checked_add(usize::try_from(element.size?).ok()?)?;
            let child = rest.get(length..end)?;
            rest = &rest[end..];
            Some((element.id, child))
        })
    }

    /// The content of the first child of a kind.
    pub(super) fn child(content: &[u8], id: u32) -> Option<&[u8]> {
        Element::children(content).find(|child| child.0 == id).map(|child| child.1)
    }
}

/// A number of variable length and the count of its bytes. `Some((None, _))` if all its bits are set,
/// which means unknown.
pub(super) fn number(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let mask = (1_u64 << (7 * length)) - 1;
    let stored = bytes.get(..length)?.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let value = stored & mask;
    Some(((value != mask).then_some(value), length))
}

/// An unsigned integer.
pub(super) fn unsigned(content: &[u8]) -> u64 {
    content.iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// A signed integer.
pub(super) fn signed(content: &[u8]) -> i64 {
    let sign = if content.first().is_some_and(|byte| byte >> 7 == 1) { -1 } else { 0 };
    content.iter().take(8).fold(sign, |sum, &byte| sum << 8 | i64::from(byte))
}

/// A floating-point number of 4 or 8 bytes.
pub(super) fn float(content: &[u8]) -> f64 {
    match (content.first_chunk::<8>(), content.first_chunk::<4>()) {
        (Some(&bytes), _) => f64::from_be_bytes(bytes),
        (None, Some(&bytes)) => f32::from_be_bytes(bytes).into(),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_state_their_length() {
        assert_eq!(number(&[0x81]), Some((Some(1), 1)));
        assert_eq!(number(&[0x40, 0x02]), Some((Some(2), 2)));
        assert_eq!(number(&[0xff]), Some((None, 1)));
        assert_eq!(number(&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Some((None, 8)));
        assert_eq!(number(&[0x40]), None);
        assert_eq!(number(&[0x00]), None);
        assert_eq!(signed(&[0xff, 0xfe]), -2);
        assert_eq!(unsigned(&[0x01, 0x00]), 256);
        assert_eq!(float(&1.5_f32.to_be_bytes()), 1.5);
    }

    #[test]
    fn children_end_where_one_is_cut() {
        // Two bytes of a kind, one of another, and one that states more than there is.
        let content = [0x83, 0x82, 1, 2, 0x9f, 0x81, 3, 0x86, 0x85, 0];
        let children: Vec<_> = Element::children(&content).collect();
        assert_eq!(children, [(0x83, &[1, 2][..]), (0x9f, &[3][..])]);
        assert_eq!(Element::child(&content, 0x9f), Some(&[3][..]));
    }
}
