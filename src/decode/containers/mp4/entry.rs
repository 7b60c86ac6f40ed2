//! Sample entries: a track's codec and its parameters (ISO/IEC 14496-12 and -14, QTFF).

use super::boxes::{Mp4Box, number};
use super::pcm;
use crate::decode::codecs::Codec;
use crate::decode::codecs::opus::{self, OpusHead};
use crate::decode::codecs::pcm::PcmFormat;
use crate::decode::containers::aac::AacConfig;
use crate::decode::containers::flac::frame::StreamInfo;
use crate::decode::containers::mp3::LAYER_3;
use crate::decode::containers::mp3::header::Header;
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
    pub(super) length: PacketLength,
    /// Frames in front of the audio, unless an edit list states them.
    pub(super) delay: u64,
}

/// How many frames a packet decodes to.
pub(super) enum PacketLength {
    /// Equally many, but for the last packet.
    Constant(u32),
    /// A FLAC frame states it.
    Flac(StreamInfo),
    /// The first byte states it.
    Opus,
    /// The header states it.
    Mpeg,
    /// As many as there are bytes for.
    Pcm { frame_bytes: u32 },
}

impl PacketLength {
    /// Frames of a packet; `None` if it is broken.
    pub(super) fn of(&self, packet: &[u8]) -> Option<u32> {
        match self {
            PacketLength::Constant(frames) => Some(*frames),
            PacketLength::Flac(info) => info.frame(packet).map(|header| header.frames),
            PacketLength::Opus => opus::frames(packet),
            PacketLength::Mpeg => Header::parse(packet).map(|header| header.frames),
            PacketLength::Pcm { frame_bytes } => Some(packet.len() as u32 / frame_bytes),
        }
    }

    /// Frames of every packet, if equal.
    pub(super) fn constant(&self) -> Option<u32> {
        match self {
            PacketLength::Constant(frames) => Some(*frames),
            _ => None,
        }
    }
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
            b"Opus" => opus_entry(&entry, bytes),
            b".mp3" | b".mp2" | b"ms\0\x55" | b"ms\0\x50" => mpeg(&entry, bytes),
            kind => match pcm::read(&entry, bytes)? {
                Some((pcm, rate)) => Ok(pcm_entry(pcm, rate)),
                None => Err(unsupported(name(*kind))),
            },
        }
    }

    /// Sets the parameters of MPEG audio from the header of its first packet.
    pub(super) fn set_mpeg(&mut self, packet: &[u8]) {
        if let Some(Header { layer, rate, channels, .. }) = Header::parse(packet) {
            self.codec = Some(Codec::Mpeg { layer, channels });
            self.rate = rate;
        }
    }
}

fn aac(entry: &Mp4Box, timescale: u32, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let esds = entry.codec_box(b"esds", bytes)?.ok_or(malformed("an AAC track has no esds box"))?;
    let content = esds.read(bytes, 4096)?;
    let config =
        AacConfig::find(&content).ok_or(malformed("its AAC configuration cannot be read"))?;
    // MPEG audio of MPEG-2 and of MPEG-1.
    if matches!(config.kind, 0x69 | 0x6b) {
        return mpeg(entry, bytes);
    }
    let stated = number(&entry.read(bytes, 28)?, 24, 2).unwrap_or(0) as u32;
    if let Some(reason) = config.unsupported([stated, timescale]) {
        return Err(unsupported(reason));
    }
    let AacConfig { rate, channels, bytes: config, .. } = config;
    let codec = Some(Codec::Aac { config, channels });
    Ok(SampleEntry { codec, rate, length: PacketLength::Constant(1024), delay: 0 })
}

fn alac(entry: &Mp4Box, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let cookie =
        entry.codec_box(b"alac", bytes)?.ok_or(malformed("an ALAC track has no cookie"))?;
    // The cookie follows version and flags.
    let cookie = cookie.read(bytes, 28)?.get(4..).unwrap_or_default().to_vec();
    let (Some(frames), Some(channels), Some(rate)) =
        (number(&cookie, 0, 4), number(&cookie, 9, 1), number(&cookie, 20, 4))
    else {
        return Err(malformed("its ALAC cookie is too short"));
    };
    let channels = channels as u32;
    let codec = Some(Codec::Alac { cookie, channels });
    let length = PacketLength::Constant(frames as u32);
    Ok(SampleEntry { codec, rate: rate as u32, length, delay: 0 })
}

fn flac(entry: &Mp4Box, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let info = match entry.codec_box(b"dfLa", bytes)? {
        // STREAMINFO follows version, flags and the header of the first block.
        Some(dfla) => dfla.read(bytes, 8 + 34)?.get(8..).and_then(StreamInfo::parse),
        None => None,
    };
    let info = info.ok_or(malformed("its FLAC header cannot be read"))?;
    let codec = Some(info.codec(Container::Mp4, ChannelLayout::of_count(info.channels))?);
    Ok(SampleEntry { codec, rate: info.rate, length: PacketLength::Flac(info), delay: 0 })
}

fn opus_entry(entry: &Mp4Box, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let head = match entry.codec_box(b"dOps", bytes)? {
        Some(dops) => OpusHead::parse_mp4(&dops.read(bytes, 64)?),
        None => None,
    };
    let head = head.ok_or(malformed("its Opus header cannot be read"))?;
    if let Some(codec) = head.unsupported() {
        return Err(unsupported(codec));
    }
    let delay = head.pre_skip.into();
    let codec = Some(Codec::Opus(head));
    Ok(SampleEntry { codec, rate: opus::OPUS_RATE, length: PacketLength::Opus, delay })
}

fn pcm_entry(pcm: PcmFormat, rate: u32) -> SampleEntry {
    // Some bytes per frame, so that nothing is divided by 0: no channels are refused later.
    let frame_bytes = pcm.frame_bytes().clamp(1, 1 << 16) as u32;
    let layout = ChannelLayout::of_count(pcm.channels as u32);
    let codec = Some(Codec::Pcm { pcm, layout });
    SampleEntry { codec, rate, length: PacketLength::Pcm { frame_bytes }, delay: 0 }
}

/// MPEG audio: its first packet states rate, channels and layer, if it is in the tables.
fn mpeg(entry: &Mp4Box, bytes: &mut ByteReader) -> Result<SampleEntry, DecodeError> {
    let fields = entry.read(bytes, 28)?;
    let (channels, rate) = (number(&fields, 16, 2), number(&fields, 24, 2));
    let channels = channels.unwrap_or(0) as u32;
    let codec = Some(Codec::Mpeg { layer: LAYER_3, channels });
    let rate = rate.unwrap_or(0) as u32;
    Ok(SampleEntry { codec, rate, length: PacketLength::Mpeg, delay: 0 })
}

fn name(kind: [u8; 4]) -> String {
    let name = match &kind {
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b"samr" | b"sawb" => "AMR",
        b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" => "DTS",
        b"enca" | b"drms" => "encrypted audio (DRM)",
        b"ima4" | b"ms\0\x11" => "IMA ADPCM",
        b"QDM2" | b"QDMC" => "QDesign Music",
        b"mlpa" => "TrueHD",
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
