//! The boxes that an MP4 is made of (ISO/IEC 14496-12, section 4.2).

use std::io;
use std::ops::Range;

use crate::decode::bytes::Bytes;

/// Boxes looked at in one parent. Real ones hold a few dozen.
const MAX_SIBLINGS: usize = 4096;

/// A box: its kind, and where its content lies in the upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mp4Box {
    pub(super) kind: [u8; 4],
    /// Where its header begins.
    pub(super) start: u64,
    pub(super) content: Range<u64>,
}

impl Mp4Box {
    /// The box that begins at a byte; `None` where the upload ends or there is none.
    pub(super) fn at(bytes: &mut Bytes, start: u64) -> io::Result<Option<Mp4Box>> {
        bytes.seek(start);
        let (Some(size), Some(kind)) = (bytes.array()?, bytes.array()?) else { return Ok(None) };
        let (head, size) = match u32::from_be_bytes(size) {
            // The last box may go on to the end.
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

    /// The boxes in a range of bytes.
    pub(super) fn all(bytes: &mut Bytes, range: Range<u64>) -> io::Result<Vec<Mp4Box>> {
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

    /// The boxes in this one, behind `skip` bytes of its own.
    pub(super) fn children(&self, bytes: &mut Bytes, skip: u64) -> io::Result<Vec<Mp4Box>> {
        Mp4Box::all(bytes, self.content.start.saturating_add(skip)..self.content.end)
    }

    /// The first box at the end of a path of kinds.
    pub(super) fn descend(
        &self,
        bytes: &mut Bytes,
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

    /// The first `most` bytes of the content, or all where it is shorter.
    pub(super) fn read(&self, bytes: &mut Bytes, most: usize) -> io::Result<Vec<u8>> {
        bytes.seek(self.content.start);
        let length = self.content.end.saturating_sub(self.content.start);
        bytes.take(usize::try_from(length).unwrap_or(most).min(most))
    }
}

/// The big-endian number in `count` bytes at a place; `None` where they are not all there.
pub(super) fn number(content: &[u8], at: usize, count: usize) -> Option<u64> {
    let bytes = content.get(at..at.checked_add(count)?)?;
    Some(bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}
