//! Sample entries: a track's codec and its parameters (ISO/IEC 14496-12 and -14, QTFF).

use std::io;

use super::aac::AacConfig;
use super::boxes::{Mp4Box, number};
use crate::decode::codecs::Codec;
use crate::decode::containers::flac::frame::StreamInfo;
use crate::decode::downmix::ChannelLayout;
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::Container;

/// A track's codec.
pub(super) struct SampleEntry {
    /// Taken out when the link begins.
    pub(super) codec: Option<Codec>,
    /// Sample rate in Hz, from the codec's parameters.
    pub(super) rate: u32,
    /// Frames that every packet but the last decodes to; `None` if packets have headers of their own.
    pub(super) frames: Option<u32>,
    /// STREAMINFO of a FLAC track, to read the headers of its packets.
    pub(super) info: Option<StreamInfo>,
}

impl SampleEntry {
    /// Reads the first entry of an `stsd` box; `timescale` is that of the track.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedCodec`] with the name of the codec.
    pub(super) fn read(
        stsd: &Mp4Box,
        timescale: u32,
        bytes: &mut ByteReader,
    ) -> Result<SampleEntry, DecodeError> {
        let entry = stsd.children(bytes, 8)?.into_iter().next();
        let entry = entry.ok_or(malformed("a track has no sample entry"))?;
        match &entry.kind {
            b"mp4a" => aac(&entry, timescale, bytes),
            b"alac" => alac(&entry, bytes),
            b"fLaC" => flac(&entry, bytes),
            kind => Err(unsupported(name(*kind))),
        }
    }
}

fn aac(entry: &Mp4Box, timescale: u32, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let esds = find(entry, b"esds", bytes)?.ok_or(malformed("an AAC track has no esds box"))?;
    let content = esds.read(bytes, 4096)?;
    let config =
        AacConfig::find(&content).ok_or(malformed("its AAC configuration cannot be read"))?;
    let stated = number(&entry.read(bytes, 28)?, 24, 2).unwrap_or(0) as u32;
    if let Some(reason) = config.unsupported([stated, timescale]) {
        return Err(unsupported(reason));
    }
    let AacConfig { rate, channels, bytes: config, .. } = config;
    let codec = Some(Codec::Aac { config, channels });
    Ok(SampleEntry { codec, rate, frames: Some(1024), info: None })
}

fn alac(entry: &Mp4Box, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let cookie = find(entry, b"alac", bytes)?.ok_or(malformed("an ALAC track has no cookie"))?;
    // The cookie follows version and flags.
    let cookie = cookie.read(bytes, 28)?.get(4..).unwrap_or_default().to_vec();
    let (Some(frames), Some(channels), Some(rate)) =
        (number(&cookie, 0, 4), number(&cookie, 9, 1), number(&cookie, 20, 4))
    else {
        return Err(malformed("its ALAC cookie is too short"));
    };
    let channels = channels as u32;
    let codec = Some(Codec::Alac { cookie, channels });
    Ok(SampleEntry { codec, rate: rate as u32, frames: Some(frames as u32), info: None })
}

fn flac(entry: &Mp4Box, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let info = match find(entry, b"dfLa", bytes)? {
        // STREAMINFO follows version, flags and the header of the first block.
        Some(dfla) => dfla.read(bytes, 8 + 34)?.get(8..).and_then(StreamInfo::parse),
        None => None,
    };
    let info = info.ok_or(malformed("its FLAC header cannot be read"))?;
    let codec = Some(info.codec(Container::Mp4, ChannelLayout::of_count(info.channels))?);
    Ok(SampleEntry { codec, rate: info.rate, frames: None, info: Some(info) })
}

/// A box with codec parameters in an audio sample entry. QuickTime wraps it in a `wave` box, and
/// entries of its versions 1 and 2 have more fields.
fn find(entry: &Mp4Box, kind: &[u8; 4], bytes: &mut ByteReader) -> io::Result<Option<Mp4Box>> {
    let own = match number(&entry.read(bytes, 10)?, 8, 2) {
        Some(1) => 28 + 16,
        Some(2) => 28 + 36,
        _ => 28,
    };
    let children = entry.children(bytes, own)?;
    if let Some(found) = children.iter().find(|child| child.kind == *kind) {
        return Ok(Some(found.clone()));
    }
    match children.iter().find(|child| child.kind == *b"wave") {
        Some(wave) => wave.descend(bytes, &[kind]),
        None => Ok(None),
    }
}

fn name(kind: [u8; 4]) -> String {
    let name = match &kind {
        b"Opus" => "Opus",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b".mp3" => "MP3",
        b"samr" | b"sawb" => "AMR",
        b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" => "DTS",
        b"enca" | b"drms" => "encrypted audio (DRM)",
        b"lpcm" | b"sowt" | b"twos" | b"in24" | b"in32" | b"fl32" | b"fl64" | b"raw " | b"ipcm"
        | b"fpcm" => "PCM",
        b"ulaw" => "µ-law",
        b"alaw" => "A-law",
        b"ima4" => "IMA ADPCM",
        _ => return format!("the codec {:?}", String::from_utf8_lossy(&kind)),
    };
    name.to_owned()
}

pub(super) fn unsupported(codec: String) -> DecodeError {
    DecodeError::UnsupportedCodec { container: Container::Mp4, codec }
}

pub(super) fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Mp4, what }
}
