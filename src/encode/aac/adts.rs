//! Frames of ADTS (ISO/IEC 13818-7, 6.2).

use std::io::{self, Read};

/// Bytes of a header without and with a checksum.
const HEADER_BYTES: usize = 7;
const CHECKED_HEADER_BYTES: usize = 9;

/// Reads the content of the next frame, a packet of AAC; `None` at the end.
///
/// # Errors
/// I/O errors; `InvalidData` if it is no frame; `UnexpectedEof` within one.
pub(super) fn read_packet(adts: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; HEADER_BYTES];
    if adts.read(&mut header[..1])? == 0 {
        return Ok(None);
    }
    adts.read_exact(&mut header[1..])?;
    let [sync, flags, _, length @ .., _] = header;
    let (high, middle, low) = (length[0], length[1], length[2]);
    let length = usize::from(high & 3) << 11 | usize::from(middle) << 3 | usize::from(low >> 5);
    let header_bytes = if flags & 1 == 1 { HEADER_BYTES } else { CHECKED_HEADER_BYTES };
    if sync != 0xff || flags >> 4 != 0xf || length < header_bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no ADTS frame"));
    }
    let mut packet = vec![0; length - HEADER_BYTES];
    adts.read_exact(&mut packet)?;
    Ok(Some(packet.split_off(header_bytes - HEADER_BYTES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_one_after_the_other() {
        let frame = |flags: u8, content: &[u8]| {
            let length = 7 + content.len();
            let [high, low] = ((length as u16) << 5).to_be_bytes();
            [&[0xff, 0xf0 | flags, 0x50, 0x80, high, low | 0x1f, 0xfc], content].concat()
        };
        let bytes = [frame(1, b"one"), frame(0, b"CRtwo"), frame(1, &[3; 300])].concat();
        let mut rest = &bytes[..];
        assert_eq!(read_packet(&mut rest).unwrap().unwrap(), b"one");
        assert_eq!(read_packet(&mut rest).unwrap().unwrap(), b"two");
        assert_eq!(read_packet(&mut rest).unwrap().unwrap(), [3; 300]);
        assert!(read_packet(&mut rest).unwrap().is_none());
        assert!(read_packet(&mut &bytes[..8]).is_err() && read_packet(&mut &bytes[1..]).is_err());
    }
}
