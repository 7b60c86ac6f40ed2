//! Ogg pages (RFC 3533).

use std::io;

use symphonia::core::checksum::Crc32;
use symphonia::core::io::Monitor;

use crate::decode::reader::ByteReader;

const MAGIC: &[u8; 4] = b"OggS";
const HEADER_BYTES: usize = 27;
/// The longest page: its header, 255 lengths, and 255 bytes for each.
const MAX_PAGE_BYTES: usize = HEADER_BYTES + 255 + 255 * 255;
/// After this many wrong checksums in a row whole pages are skipped, so that data full of page
/// headers is not checksummed over and over.
const MAX_CHECKSUM_FAILURES: u32 = 64;

/// A page with a correct checksum.
pub(super) struct Page {
    pub(super) serial: u32,
    pub(super) sequence: u32,
    /// End of the last packet that ends on this page, in the codec's unit; `None` if none does.
    pub(super) granule: Option<u64>,
    /// The first packet began on an earlier page.
    pub(super) is_continued: bool,
    /// The first page of a logical stream.
    pub(super) is_first: bool,
    /// The last page of a logical stream.
    pub(super) is_last: bool,
    lengths: Vec<u8>,
    body: Vec<u8>,
}

impl Page {
    /// The next page and the count of bytes skipped before it; `None` at the end of the upload.
    pub(super) fn next(bytes: &mut ByteReader) -> io::Result<(Option<Page>, u64)> {
        let from = bytes.position();
        let mut failures = 0;
        loop {
            let head = bytes.peek(HEADER_BYTES)?;
            if head.len() < HEADER_BYTES {
                bytes.drain()?;
                return Ok((None, bytes.position() - from));
            }
            let Some(at) = find(head, MAGIC) else {
                bytes.skip((HEADER_BYTES - (MAGIC.len() - 1)) as u64);
                continue;
            };
            if at > 0 {
                bytes.skip(at as u64);
                continue;
            }
            let position = bytes.position();
            let length = page_bytes(bytes)?;
            let page = bytes.peek(length)?;
            if page.len() == length
                && let Some(page) = parse(page)
            {
                bytes.skip(length as u64);
                return Ok((Some(page), position - from));
            }
            failures += 1;
            bytes
                .skip(if failures > MAX_CHECKSUM_FAILURES { length.max(1) } else { MAGIC.len() }
                    as u64);
        }
    }

    /// The pieces of packets on this page, and whether the packet ends with the piece.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut rest = self.body.as_slice();
        // A length below 255 ends a packet.
        self.lengths.split_inclusive(|&length| length < 255).map(move |lengths| {
            let length: usize = lengths.iter().map(|&length| usize::from(length)).sum();
            let (piece, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            (piece, lengths.last().is_some_and(|&length| length < 255))
        })
    }
}

/// Bytes of the page at the position, by its header.
fn page_bytes(bytes: &mut ByteReader) -> io::Result<usize> {
    let count = bytes.peek(HEADER_BYTES)?.last().map_or(0, |&count| usize::from(count));
    let lengths = bytes.peek(HEADER_BYTES + count)?.iter().skip(HEADER_BYTES);
    let body: usize = lengths.map(|&length| usize::from(length)).sum();
    Ok((HEADER_BYTES + count + body).min(MAX_PAGE_BYTES))
}

/// Parses a whole page; `None` if its version or checksum is wrong.
fn parse(page: &[u8]) -> Option<Page> {
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| page[at + i]));
    let mut crc = Crc32::new(0);
    crc.process_buf_bytes(&page[..22]);
    crc.process_buf_bytes(&[0; 4]);
    crc.process_buf_bytes(&page[26..]);
    if page[4] != 0 || crc.crc() != word(22) {
        return None;
    }
    let flags = page[5];
    let granule = u64::from(word(6)) | u64::from(word(10)) << 32;
    let (lengths, body) = page[HEADER_BYTES..].split_at_checked(usize::from(page[26]))?;
    Some(Page {
        serial: word(14),
        sequence: word(18),
        granule: (granule != u64::MAX).then_some(granule),
        is_continued: flags & 1 != 0,
        is_first: flags & 2 != 0,
        is_last: flags & 4 != 0,
        lengths: lengths.to_vec(),
        body: body.to_vec(),
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
