//! Recognises the format of an upload by its content, never by its name.

use std::num::NonZero;

use super::containers::adts::{self, AdtsDemuxer};
use super::containers::aiff::AiffDemuxer;
use super::containers::flac::FlacDemuxer;
use super::containers::matroska::{self, MatroskaDemuxer};
use super::containers::mp3::header::Header;
use super::containers::mp3::{self, Mp3Demuxer};
use super::containers::mp4::Mp4Demuxer;
use super::containers::ogg::OggDemuxer;
use super::containers::tags;
use super::containers::wav::{self, WavDemuxer};
use super::demux::Demuxer;
use super::error::{DecodeError, UnknownContent};
use super::limits::DecodeLimits;
use super::reader::ByteReader;
use super::report::Container;

/// Enough bytes to recognise every format but MP3, and to tell text from binary data.
const HEAD_BYTES: usize = 512;

/// What bytes are that are neither text nor recognised.
const UNKNOWN: &str = "of an unknown format";

/// Bytes of text that are searched for MPEG audio: pages and logs are refused while they arrive.
const TEXT_PROBE_BYTES: usize = 64 * 1024;

/// Kinds of the first box of an MP4 or QuickTime file.
const FIRST_BOXES: [&[u8; 4]; 8] =
    [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"];

/// A format that is not supported: where its first bytes are, these bytes, its name.
type NamedFormat = (usize, &'static [u8], &'static str);

/// Unsupported formats of films whose times show when the audio begins. An MPEG transport stream is another.
const TIMED_FILMS: [NamedFormat; 3] = [
    (8, b"AVI ", "an AVI file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\0\0\x01\xba", "an MPEG program stream"),
];

/// Other unsupported formats of audio and video that the error names.
const KNOWN_UNSUPPORTED: [NamedFormat; 25] = [
    (0, b"RIFX", "a big-endian WAV file"),
    (0, b"RIFF", "a RIFF file other than WAV"),
    (0, b".RMF", "a RealMedia file"),
    (0, b"caff", "a Core Audio file"),
    (0, b".snd", "a Sun audio file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"TTA1", "a True Audio file"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"MP+", "a Musepack file"),
    (0, b"DSD ", "a DSD file"),
    (0, b"FRM8", "a DSD file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"ADIF", "an AAC file of the ADIF kind"),
    (0, b"\x0b\x77", "an AC-3 file"),
    (0, b"\x7f\xfe\x80\x01", "a DTS file"),
    (0, b"\xfe\x7f\x01\x80", "a DTS file"),
    (0, b"DTSHDHDR", "a DTS file"),
    (4, b"\xf8\x72\x6f\xba", "a TrueHD file"),
    (4, b"\xf8\x72\x6f\xbb", "an MLP file"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    (0, b"\x06\x0e\x2b\x34", "an MXF file"),
    (0, b"Creative Voice File", "a Creative Voice file"),
    (0, b"nut/multimedia container", "a NUT file"),
    (0, b".SoX", "a SoX file"),
];

/// The same of formats that hold no sound.
const NO_MEDIA: [NamedFormat; 7] = [
    (0, b"MThd", "a MIDI file, which has notes and no sound"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
];

/// The demuxer for the format of the upload, positioned behind leading tags. Of the audio tracks of a container it decodes
/// the `wanted` one, counted from 1, or the first of a supported codec. A container with a single track does not look at
/// the number.
///
/// # Errors
/// [`DecodeError::UnknownFormat`] with the name of the format where it is known, and what the
/// demuxer finds in the headers.
pub(super) fn open(
    bytes: &mut ByteReader,
    limits: &DecodeLimits,
    wanted: Option<NonZero<u32>>,
) -> Result<Box<dyn Demuxer>, DecodeError> {
    if bytes.at_end()? {
        return Err(DecodeError::Empty);
    }
    let start = bytes.position();
    tags::skip_all(bytes)?;
    let is_tagged = bytes.position() > start;
    let head = bytes.peek(12)?;
    if wav::is_magic(head) {
        return Ok(Box::new(WavDemuxer::open(bytes)));
    }
    match (head.get(..4), head.get(4..8), head.get(8..12)) {
        (Some(b"FORM"), _, Some(b"AIFF" | b"AIFC")) => {
            return Ok(Box::new(AiffDemuxer::open(bytes)?));
        }
        (Some(b"fLaC"), ..) => return Ok(Box::new(FlacDemuxer::open(limits))),
        (Some(magic), ..) if magic == matroska::MAGIC => {
            return Ok(Box::new(MatroskaDemuxer::open(limits, wanted)));
        }
        (Some(b"OggS"), ..) => return Ok(Box::new(OggDemuxer::open(limits, wanted))),
        (_, Some(kind), _) if FIRST_BOXES.iter().any(|first| *first == kind) => {
            return Ok(Box::new(Mp4Demuxer::open(bytes, limits, wanted)?));
        }
        _ => {}
    }
    let head = bytes.peek(HEAD_BYTES)?.to_vec();
    for (formats, content) in [
        (&TIMED_FILMS[..], UnknownContent::TimedFilm),
        (&KNOWN_UNSUPPORTED[..], UnknownContent::Media),
        (&NO_MEDIA[..], UnknownContent::NoMedia),
    ] {
        let is_here =
            |at: usize, magic: &[u8]| head.get(at..).is_some_and(|h| h.starts_with(magic));
        if let Some(&(.., looks_like)) = formats.iter().find(|(at, magic, _)| is_here(*at, magic)) {
            return Err(DecodeError::UnknownFormat { looks_like, content });
        }
    }
    if is_transport_stream(&head) {
        let looks_like = "an MPEG transport stream";
        return Err(DecodeError::UnknownFormat { looks_like, content: UnknownContent::TimedFilm });
    }
    if adts::is_begin(&head) {
        return Ok(Box::new(AdtsDemuxer::open(bytes)?));
    }
    if Header::is_free_format(bytes.peek(mp3::WINDOW_BYTES)?) {
        let codec = "MP3 of free format".to_owned();
        return Err(DecodeError::UnsupportedCodec { container: Container::Mp3, codec });
    }
    let looks_like = looks_like(&head);
    let limit = if looks_like == UNKNOWN { limits.probe_bytes } else { TEXT_PROBE_BYTES };
    let mut first = mp3::find_first(bytes, limit)?;
    if first.is_none() && is_tagged {
        // The tag may state a length beyond its end: the search begins within it.
        bytes.seek(start + tags::HEADER_BYTES);
        first = mp3::find_first(bytes, limit)?;
    }
    match first {
        Some(layer) => Ok(Box::new(Mp3Demuxer::open(layer))),
        None => {
            let content =
                if looks_like == UNKNOWN { UnknownContent::Media } else { UnknownContent::NoMedia };
            Err(DecodeError::UnknownFormat { looks_like, content })
        }
    }
}

/// Whether packets of an MPEG transport stream begin here, each with a byte in front of it or, in M2TS, four more.
fn is_transport_stream(head: &[u8]) -> bool {
    let begins = |at: usize| head.get(at) == Some(&0x47);
    [0, 188, 376].into_iter().all(begins) || [4, 196, 388].into_iter().all(begins)
}

/// Names bytes that are not audio.
fn looks_like(head: &[u8]) -> &'static str {
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // The last character may be cut.
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
        None => UNKNOWN,
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
    fn text_and_pages_are_named() {
        check(b"Dear Sir or Madam,\r\n", "text");
        check("l'été à la c\u{f4}te".as_bytes(), "text");
        check(&"\u{f4}".as_bytes()[..1], "of an unknown format");
        check(b"{\"error\": 404}", "text, perhaps JSON");
        check(b"\n<!DOCTYPE html><title>", "an HTML page");
        check(b"\x00\x01\x02\x03", "of an unknown format");
    }
}
