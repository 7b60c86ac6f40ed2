//! The information tag in place of the first frame of many MP3 files.
//!
//! Xing's tag (<http://gabriel.mp3-tech.org/mp3infotag.html>) has the frame count, LAME's extension
//! of it the encoder's delay and padding. Fraunhofer's encoders write a VBRI tag instead.

use crate::decode::containers::mp3::header::Header;
use crate::decode::demux::Trim;

/// Delay of every MP3 decoder in audio frames, on top of the encoder's.
const DECODER_DELAY: u64 = 528 + 1;

/// A parsed information tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    /// MP3 frames in the file without this one.
    mp3_frames: Option<u64>,
    /// Audio frames that the encoder added in front and behind.
    delay_padding: Option<(u64, u64)>,
}

impl Info {
    /// Parses the tag; `None` if this is an ordinary frame.
    pub(crate) fn parse(frame: &[u8], header: &Header) -> Option<Info> {
        if header.layer != 3 {
            return None;
        }
        let number = |bytes: &[u8]| bytes.first_chunk().map(|&b| u64::from(u32::from_be_bytes(b)));
        if let Some(vbri) = frame.get(36..).and_then(|rest| rest.strip_prefix(b"VBRI")) {
            return Some(Info { mp3_frames: number(vbri.get(10..)?), delay_padding: None });
        }
        let tag = frame.get(header.side_info_end..)?;
        let tag = tag.strip_prefix(b"Xing").or_else(|| tag.strip_prefix(b"Info"))?;
        let flags = number(tag)?;
        let mp3_frames = if flags & 1 != 0 { number(tag.get(4..)?) } else { None };
        let length = |bit: u64, bytes: usize| if flags & bit != 0 { bytes } else { 0 };
        let lame = 4 + length(1, 4) + length(2, 4) + length(4, 100) + length(8, 4);
        let delay_padding = tag.get(lame..).and_then(|lame| {
            let is_known = ["LAME", "Lavf", "Lavc"].iter().any(|n| lame.starts_with(n.as_bytes()));
            let [a, b, c] = *lame.get(21..)?.first_chunk()?;
            let (delay, padding) =
                (u64::from(a) << 4 | u64::from(b) >> 4, u64::from(b & 15) << 8 | u64::from(c));
            is_known.then_some((delay, padding))
        });
        Some(Info { mp3_frames, delay_padding })
    }

    /// The trim of a stream whose MP3 frames decode to `frames` audio frames each.
    pub(crate) fn trim(&self, frames: u32) -> Trim {
        let Some((delay, padding)) = self.delay_padding else { return Trim::none() };
        let end = self.mp3_frames.map_or(u64::MAX, |count| count * u64::from(frames));
        // The decoder's delay shifts the audio into the encoder's padding.
        let padding = if end == u64::MAX { 0 } else { padding.saturating_sub(DECODER_DELAY) };
        Trim::new(delay + DECODER_DELAY, end.saturating_sub(padding)..end)
    }

    /// Length of the trimmed stream in audio frames; `None` if the tag has no frame count.
    pub(crate) fn kept_frames(&self, frames: u32) -> Option<u64> {
        let all = self.mp3_frames? * u64::from(frames);
        let (delay, padding) = self.delay_padding.unwrap_or_default();
        let trimmed = match self.delay_padding {
            Some(_) => delay + DECODER_DELAY + padding.saturating_sub(DECODER_DELAY),
            None => 0,
        };
        Some(all.saturating_sub(trimmed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lame_tag_has_length_delay_and_padding() {
        let header = Header::parse(&[0xff, 0xfb, 0x90, 0x64]).unwrap();
        let mut frame = vec![0; 417];
        frame[36..48].copy_from_slice(b"Info\0\0\0\x0f\0\0\x01\0");
        frame[156..165].copy_from_slice(b"LAME3.100");
        frame[177..180].copy_from_slice(&[0x24, 0x04, 0x50]);
        let info = Info::parse(&frame, &header).unwrap();
        assert_eq!(info, Info { mp3_frames: Some(256), delay_padding: Some((576, 1104)) });
        let all = 256 * 1152;
        assert_eq!(info.trim(1152), Trim::new(1105, all - 575..all));
        assert_eq!(info.kept_frames(1152), Some(all - 1105 - 575));
        frame[36] = b'X';
        assert_eq!(Info::parse(&frame, &header), None);
    }
}
