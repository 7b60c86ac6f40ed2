//! The boxes of an MP4 (ISO/IEC 14496-12, 4.2).

use std::io;
use std::ops::Range;

use crate::decode::reader::ByteReader;

/// Boxes that are read in one parent. Real ones hold a few dozen.
const MAX_SIBLINGS: usize = 4096;

/// Kind and extent of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mp4Box {
    pub(super) kind: [u8; 4],
    /// Offset of its header in the upload.
    pub(super) start: u64,
    /// Offsets of its content in the upload.
    pub(super) content: Range<u64>,
}

impl Mp4Box {
    /// The box at offset `start`; `None` if the upload ends or the size is invalid.
    pub(super) fn at(bytes: &mut ByteReader, start: u64) -> io::Result<Option<Mp4Box>> {
        bytes.seek(start);
        let (Some(size), Some(kind)) = (bytes.array()?, bytes.array()?) else { return Ok(None) };
        let (head, size) = match u32::from_be_bytes(size) {
            // The last box may extend to the end of the file.
            0 => (8, u64::MAX),
            1 => match bytes.array()? {
                Some(size) => (16, u64::from_be_bytes(size)),
                None => return Ok(None),
            },
            size => (8, size.into()),
        };
        let content = start.saturating_add(head)..start.saturating_add(size);
        Ok((size >= head).then_some(Mp4Box { kind, start, content }))
    }

    /// The consecutive boxes in a range of bytes.
    pub(super) fn all(bytes: &mut ByteReader, range: Range<u64>) -> io::Result<Vec<Mp4Box>> {
        let mut found = Vec::new();
        let mut at = range.start;
        while at < range.end && found.len() < MAX_SIBLINGS {
            let Some(mut next) = Mp4Box::at(bytes, at)? else { break };
            next.content.end = next.content.end.min(range.end);
            at = next.content.end;
            found.push(next);
        }
        Ok(found)
    }

    /// The child boxes, behind `skip` bytes of fields.
    pub(super) fn children(&self, bytes: &mut ByteReader, skip: u64) -> io::Result<Vec<Mp4Box>> {
        Mp4Box::all(bytes, self.content.start.saturating_add(skip)..self.content.end)
    }

    /// The descendant at the end of a path of kinds, taking the first child of each kind.
    pub(super) fn descend(
        &self,
        bytes: &mut ByteReader,
        path: &[&[u8; 4]],
    ) -> io::Result<Option<Mp4Box>> {
        let mut found = self.clone();
        for kind in path {
            let children = found.children(bytes, 0)?;
            match children.into_iter().find(|child| child.kind == **kind) {
                Some(child) => found = child,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// A box with codec parameters in this audio sample entry. QuickTime wraps it in a `wave` box, and
    /// entries of its versions 1 and 2 have more fields.
    pub(super) fn codec_box(
        &self,
        kind: &[u8; 4],
        bytes: &mut ByteReader,
    ) -> io::Result<Option<Mp4Box>> {
        let own = match number(&self.read(bytes, 10)?, 8, 2) {
            Some(1) => 28 + 16,
            Some(2) => 28 + 36,
            _ => 28,
        };
        let children = self.children(bytes, own)?;
        if let Some(found) = children.iter().find(|child| child.kind == *kind) {
            return Ok(Some(found.clone()));
        }
        match children.iter().find(|child| child.kind == *b"wave") {
            Some(wave) => wave.descend(bytes, &[kind]),
            None => Ok(None),
        }
    }

    /// The first `max` bytes of the content, or all of it if it is shorter.
    pub(super) fn read(&self, bytes: &mut ByteReader, max: usize) -> io::Result<Vec<u8>> {
        bytes.seek(self.content.start);
        let length = self.content.end.saturating_sub(self.content.start);
        bytes.take(usize::try_from(length).unwrap_or(max).min(max))
    }
}

/// The big-endian number of `count` bytes at index `at`; `None` if the content ends before.
pub(super) fn number(content: &[u8], at: usize, count: usize) -> Option<u64> {
    let bytes = content.get(at..at.checked_add(count)?)?;
    Some(bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}
