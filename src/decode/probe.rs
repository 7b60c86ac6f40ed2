//! What an upload is, told from its content and never from its name.

use super::bytes::Bytes;
use super::error::DecodeError;
use super::limits::Limits;
use super::packet::Demux;
use super::report::Container;
use crate::decode::containers::aiff::Aiff;
use crate::decode::containers::flac::Flac;
use crate::decode::containers::mp4::Mp4;
use crate::decode::containers::mpeg;
use crate::decode::containers::mpeg::Mpeg;
use crate::decode::containers::mpeg::header::Header;
use crate::decode::containers::ogg::Ogg;
use crate::decode::containers::riff;
use crate::decode::containers::riff::Riff;
use crate::decode::containers::tags;

/// As many bytes as tell every format but MP3, and text from the rest.
const HEAD_BYTES: usize = 512;

/// What an MP4 or a QuickTime film may begin with.
const FIRST_BOXES: [&[u8; 4]; 8] =
    [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"];

/// Formats that are known, if only to be named: what they begin with, and what they are.
const NAMED: [(&[u8], &str); 24] = [
    (b"RIFX", "a big-endian WAV file"),
    (b"caff", "a Core Audio file"),
    (b".snd", "a Sun audio file"),
    (b"MAC ", "a Monkey's Audio file"),
    (b"wvpk", "a WavPack file"),
    (b"TTA1", "a True Audio file"),
    (b"MPCK", "a Musepack file"),
    (b"MP+", "a Musepack file"),
    (b"DSD ", "a DSD file"),
    (b"FRM8", "a DSD file"),
    (b"#!AMR", "an AMR file"),
    (b"MThd", "a MIDI file, which has notes and no sound"),
    (b"ADIF", "an AAC file of the ADIF kind"),
    (b"\x0b\x77", "an AC-3 file"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (b"FLV\x01", "a Flash video"),
    (b"\0\0\x01\xba", "an MPEG program stream"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
];

/// The reader for what the upload turns out to be; its first bytes decide, tags left out.
pub(super) fn open(bytes: &mut Bytes, limits: &Limits) -> Result<Box<dyn Demux>, DecodeError> {
    if bytes.at_end()? {
        return Err(DecodeError::Empty);
    }
    tags::skip_all(bytes)?;
    let head = bytes.peek(12)?;
    if riff::is_magic(head) {
        return Ok(Box::new(Riff::open(bytes)));
    }
    match (head.get(..4), head.get(4..8), head.get(8..12)) {
        (Some(b"FORM"), _, Some(b"AIFF" | b"AIFC")) => return Ok(Box::new(Aiff::open(bytes)?)),
        (Some(b"fLaC"), ..) => return Ok(Box::new(Flac::open(limits))),
        (Some(b"OggS"), ..) => return Ok(Box::new(Ogg::open(limits))),
        (_, Some(kind), _) if FIRST_BOXES.iter().any(|first| *first == kind) => {
            return Ok(Box::new(Mp4::open(bytes, limits)?));
        }
        _ => {}
    }
    let head = bytes.peek(HEAD_BYTES)?.to_vec();
    let named = NAMED.iter().find(|(magic, _)| head.starts_with(magic));
    if let Some(&(_, looks_like)) = named {
        return Err(DecodeError::UnknownFormat { looks_like });
    }
    if is_adts(&head) {
        return Err(DecodeError::UnknownFormat { looks_like: "AAC without a container (ADTS)" });
    }
    if Header::is_free_format(bytes.peek(mpeg::WINDOW_BYTES)?) {
        let codec = "MP3 of free format".to_owned();
        return Err(DecodeError::UnsupportedCodec { container: Container::Mp3, codec });
    }
    match mpeg::find_first(bytes, limits)? {
        Some(mpeg::LAYER_3) => Ok(Box::new(Mpeg::open())),
        Some(_) => {
            Err(DecodeError::UnknownFormat { looks_like: "MPEG audio of layer I or II, not MP3" })
        }
        None => Err(DecodeError::UnknownFormat { looks_like: looks_like(&head) }),
    }
}

/// Whether this is an ADTS header and another one follows the frame: its sync word is that of MP3
/// with the layer that MP3 does not have.
fn is_adts(head: &[u8]) -> bool {
    let header = |at: usize| match head.get(at..at + 7) {
        Some(&[0xff, second, _, c, d, e, _]) if second & 0xf6 == 0xf0 => {
            Some(usize::from(c & 3) << 11 | usize::from(d) << 3 | usize::from(e) >> 5)
        }
        _ => None,
    };
    header(0).is_some_and(|length| length >= head.len() || header(length).is_some())
}

/// What bytes are that are no audio.
fn looks_like(head: &[u8]) -> &'static str {
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // A character may be cut where the look ends.
        Err(error) if error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let is_text = |text: &&str| !text.is_empty() && !text.contains(|c: char| is_control(c));
    match text.filter(is_text).map(|text| text.trim_start().to_ascii_lowercase()) {
        Some(text) if text.starts_with("<!doctype html") || text.starts_with("<html") => {
            "an HTML page"
        }
        Some(text) if text.starts_with('{') || text.starts_with('[') => "text, perhaps JSON",
        Some(_) => "text",
        None => "of no format that is known",
    }
}

fn is_control(character: char) -> bool {
    character.is_control() && !character.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], expected: &str) {
        assert_eq!(looks_like(head), expected);
    }

    #[test]
    fn what_is_no_audio_is_named() {
        check(b"Dear Sir or Madam,\r\n", "text");
        check("l'été à la c\u{f4}te".as_bytes(), "text");
        check(&"\u{f4}".as_bytes()[..1], "of no format that is known");
        check(b"{\"error\": 404}", "text, perhaps JSON");
        check(b"\n<!DOCTYPE html><title>", "an HTML page");
        check(b"\x00\x01\x02\x03", "of no format that is known");
    }
}
