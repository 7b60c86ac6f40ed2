//! The header of an MPEG audio frame (ISO/IEC 11172-3, 2.4.1.3, and 13818-3).

/// A parsed frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// 1, 2 or 3.
    pub(crate) layer: u32,
    /// Sample rate in Hz.
    pub(crate) rate: u32,
    pub(crate) channels: u32,
    /// Bytes of the frame including this header.
    pub(crate) bytes: usize,
    /// Audio frames that it decodes to.
    pub(crate) frames: u32,
    /// End of the side information, where an information tag begins.
    pub(crate) side_info_end: usize,
}

/// Bit rates of MPEG-1 in kbit/s, by layer and code.
const BITRATES_1: [[u32; 14]; 3] = [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
];
/// Bit rates of MPEG-2 and MPEG-2.5 in kbit/s, of layer I and of layers II and III.
const BITRATES_2: [[u32; 14]; 2] = [
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

impl Header {
    /// Parses the first four bytes; `None` if they are not a header, or one of free format.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let word = u32::from_be_bytes(*bytes.first_chunk()?);
        if word >> 21 != 0x7ff {
            return None;
        }
        // MPEG-2 halves the sample rates of MPEG-1, MPEG-2.5 halves them again.
        let halvings = match word >> 19 & 3 {
            0 => 2,
            2 => 1,
            3 => 0,
            _ => return None,
        };
        let layer = match word >> 17 & 3 {
            0 => return None,
            code => 4 - code,
        };
        let rate = [44_100, 48_000, 32_000].get((word >> 10 & 3) as usize)? >> halvings;
        let row = (layer - 1) as usize;
        let table = if halvings == 0 { &BITRATES_1[row] } else { &BITRATES_2[row.min(1)] };
        let bitrate = 1000 * table.get((word >> 12 & 15).checked_sub(1)? as usize)?;
        let padding = word >> 9 & 1;
        let is_mono = word >> 6 & 3 == 3;
        let (frames, length) = match (layer, halvings) {
            (1, _) => (384, (12 * bitrate / rate + padding) * 4),
            (3, 1..) => (576, 72 * bitrate / rate + padding),
            _ => (1152, 144 * bitrate / rate + padding),
        };
        let side_info = match (halvings, is_mono) {
            (0, false) => 32,
            (0, true) | (_, false) => 17,
            (_, true) => 9,
        };
        Some(Header {
            layer,
            rate,
            channels: if is_mono { 1 } else { 2 },
            bytes: length as usize,
            frames,
            side_info_end: 4 + side_info,
        })
    }

    /// Whether frames of free format begin here. Their headers state no bit rate: only the distance
    /// between headers shows their length. `window` must hold more than two frames.
    pub(crate) fn is_free_format(window: &[u8]) -> bool {
        // Sample rate, version and layer are constant; the padding bit is not.
        let kind = |at: usize| match window.get(at..at + 4) {
            Some(&[0xff, second, third, _])
                if third >> 4 == 0
                    && Header::parse(&[0xff, second, third | 0x10, 0])
                        .is_some_and(|header| header.layer == 3) =>
            {
                Some((second, third & !2))
            }
            _ => None,
        };
        let is_next = |at: usize| kind(at).is_some() && kind(at) == kind(0);
        // A frame is at least as long as its side information.
        kind(0).is_some()
            && (21..window.len() / 2)
                .any(|length| is_next(length) && (2 * length - 1..=2 * length + 1).any(is_next))
    }

    /// Whether both may belong to one stream.
    pub(crate) fn is_like(&self, other: &Header) -> bool {
        let kind = |header: &Header| (header.layer, header.rate, header.channels, header.frames);
        kind(self) == kind(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: [u8; 4], expected: Option<(u32, u32, u32, usize, u32, usize)>) {
        let found = Header::parse(&bytes)
            .map(|h| (h.layer, h.rate, h.channels, h.bytes, h.frames, h.side_info_end));
        assert_eq!(found, expected);
    }

    #[test]
    fn headers_of_every_version() {
        // MPEG-1 layer III, 128 kbit/s, 44.1 kHz, joint stereo.
        check([0xff, 0xfb, 0x90, 0x64], Some((3, 44_100, 2, 417, 1152, 36)));
        // The same padded.
        check([0xff, 0xfb, 0x92, 0x64], Some((3, 44_100, 2, 418, 1152, 36)));
        // MPEG-2 layer III, 64 kbit/s, 22.05 kHz, mono.
        check([0xff, 0xf3, 0x80, 0xc4], Some((3, 22_050, 1, 208, 576, 13)));
        // MPEG-2.5 layer III, 8 kbit/s, 8 kHz, mono.
        check([0xff, 0xe3, 0x18, 0xc4], Some((3, 8_000, 1, 72, 576, 13)));
        // MPEG-1 layer II, 192 kbit/s, 48 kHz.
        check([0xff, 0xfd, 0xa4, 0x00], Some((2, 48_000, 2, 576, 1152, 36)));
        // Free format, bad bit rate, bad rate, reserved version, reserved layer, no sync.
        check([0xff, 0xfb, 0x00, 0x64], None);
        check([0xff, 0xfb, 0xf0, 0x64], None);
        check([0xff, 0xfb, 0x9c, 0x64], None);
        check([0xff, 0xeb, 0x90, 0x64], None);
        check([0xff, 0xf9, 0x90, 0x64], None);
        check([0xfe, 0xfb, 0x90, 0x64], None);
    }

    #[test]
    fn free_format_is_recognised_by_equal_distances() {
        let frame = |padding: u8| {
            let mut frame = vec![0xff, 0xfb, padding << 1, 0x64];
            frame.resize(1306 + usize::from(padding), 0x55);
            frame
        };
        let frames = [frame(0), frame(1), frame(0), frame(0)].concat();
        assert!(Header::is_free_format(&frames));
        assert!(!Header::is_free_format(&frames[1..]));
        assert!(!Header::is_free_format(&frames[..2600]));
        assert!(!Header::is_free_format(&[0xff, 0xfb, 0x90, 0x64].repeat(1000)));
        assert!(!Header::is_free_format(&[]));
    }
}
