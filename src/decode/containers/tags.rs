//! Skips tags in front of, between and behind audio.

use std::io;

use crate::decode::reader::ByteReader;

/// Bytes of the header of an ID3v2 tag, the shortest one.
pub(crate) const HEADER_BYTES: u64 = 10;

/// Advances behind a tag that begins at the position; returns whether there is one.
///
/// Recognises ID3v2 (<https://id3.org/id3v2.4.0-structure>), ID3v1 with its extension, and APEv1 and
/// APEv2 (<https://wiki.hydrogenaud.io/index.php?title=APEv2_specification>), which may begin with
/// its header or its footer.
pub(crate) fn skip(bytes: &mut ByteReader) -> io::Result<bool> {
    let head = bytes.peek(32)?;
    let length = match head {
        [b'I', b'D', b'3', major, _, flags, size @ ..]
            if *major != 0xff && size.len() >= 4 && size[..4].iter().all(|byte| byte >> 7 == 0) =>
        {
            let body = size[..4].iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte));
            let footer = if flags & 0x10 != 0 { 10 } else { 0 };
            HEADER_BYTES + body + footer
        }
        [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', _, _, _, _, rest @ ..]
            if rest.len() >= 12 =>
        {
            let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| rest[at + i]));
            let is_header = number(8) >> 29 & 1 == 1;
            if is_header { 32 + u64::from(number(0)) } else { 32 }
        }
        [b'T', b'A', b'G', b'+', ..] => 227,
        [b'T', b'A', b'G', ..] => 128,
        _ => return Ok(false),
    };
    bytes.skip(length);
    Ok(true)
}

/// Advances behind all consecutive tags at the position.
pub(crate) fn skip_all(bytes: &mut ByteReader) -> io::Result<()> {
    while skip(bytes)? {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::decode::upload::Complete;

    #[track_caller]
    fn check(head: &[u8], skipped: u64) {
        let mut padded = head.to_vec();
        padded.resize(head.len() + 32, 0);
        let mut bytes = ByteReader::new(Box::new(Complete(Cursor::new(padded))));
        assert_eq!(skip(&mut bytes).unwrap(), skipped > 0);
        assert_eq!(bytes.position(), skipped);
    }

    #[test]
    fn tags_have_the_stated_length() {
        check(b"ID3\x04\0\0\0\0\x02\x01", 10 + 257);
        check(b"ID3\x04\0\x10\0\0\0\x01", 21);
        check(b"ID3\x04\0\0\x80\0\0\x01", 0);
        check(b"APETAGEX\xd0\x07\0\0\x40\0\0\0\x01\0\0\0\0\0\0\xa0", 32 + 64);
        check(b"APETAGEX\xd0\x07\0\0\x40\0\0\0\x01\0\0\0\0\0\0\x80", 32);
        check(b"TAGtitle", 128);
        check(b"TAG+title", 227);
        check(b"RIFF", 0);
    }
}
