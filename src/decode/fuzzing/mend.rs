//! Corrects the checksums of damaged files, so that damage reaches the code behind the check.

use symphonia::core::checksum::{Crc8Ccitt, Crc16Ansi, Crc32};
use symphonia::core::io::Monitor;

/// Bytes of the magic word, a block header and STREAMINFO.
const FLAC_HEADER_BYTES: usize = 42;

/// Corrects the checksum of every Ogg page.
pub(super) fn ogg(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(4).position(|window| window == b"OggS") {
        at += found;
        let Some(&segments) = bytes.get(at + 26) else { return };
        let lengths = at + 27..at + 27 + usize::from(segments);
        let Some(lengths_bytes) = bytes.get(lengths.clone()) else { return };
        let body: usize = lengths_bytes.iter().map(|&length| usize::from(length)).sum();
        if let Some(page) = bytes.get_mut(at..lengths.end + body) {
            page[22..26].fill(0);
            let mut crc = Crc32::new(0);
            crc.process_buf_bytes(page);
            page[22..26].copy_from_slice(&crc.crc().to_le_bytes());
        }
        at += 4;
    }
}

/// Corrects both checksums of every FLAC frame; a frame ends at the next sync code.
pub(super) fn flac(bytes: &mut [u8]) {
    let is_sync = |pair: &[u8]| pair[0] == 0xff && pair[1] & 0xfe == 0xf8;
    let pairs = bytes.windows(2).enumerate().skip(FLAC_HEADER_BYTES);
    let mut borders: Vec<usize> =
        pairs.filter(|(_, pair)| is_sync(pair)).map(|(at, _)| at).collect();
    borders.push(bytes.len());
    for border in borders.windows(2) {
        let frame = &mut bytes[border[0]..border[1]];
        let Some(header) = flac_header(frame).filter(|header| header + 3 <= frame.len()) else {
            continue;
        };
        let mut crc = Crc8Ccitt::new(0);
        crc.process_buf_bytes(&frame[..header]);
        frame[header] = crc.crc();
        let (checked, stored) = frame.split_at_mut(frame.len() - 2);
        let mut crc = Crc16Ansi::new(0);
        crc.process_buf_bytes(checked);
        stored.copy_from_slice(&crc.crc().to_be_bytes());
    }
}

/// Bytes of a frame header before its checksum.
fn flac_header(frame: &[u8]) -> Option<usize> {
    let (sizes, number) = (*frame.get(2)?, *frame.get(4)?);
    let number = match number.leading_ones() {
        0 => 1,
        ones => ones as usize,
    };
    let size = match sizes >> 4 {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let rate = match sizes & 15 {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    Some(4 + number + size + rate)
}
