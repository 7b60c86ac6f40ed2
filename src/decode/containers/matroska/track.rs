//! Tracks (RFC 9559, 5.1.4): the audio track that is decoded.

use std::num::NonZero;

use super::ebml::{Element, float, unsigned};
use super::{malformed, unsupported};
use crate::decode::codecs::Codec;
use crate::decode::codecs::opus::{self, OpusHead};
use crate::decode::codecs::pcm::{PcmFormat, SampleFormat};
use crate::decode::containers::aac::AacConfig;
use crate::decode::containers::flac::frame::{StreamInfo, is_whole};
use crate::decode::containers::mp3::header::Header;
use crate::decode::containers::ogg::setup::VorbisSetup;
use crate::decode::downmix::ChannelLayout;
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::report::{AudioTrack, Container};
use crate::decode::track_choice::choose;

const TRACK_ENTRY: u32 = 0xae;
const AUDIO: u64 = 2;
const VIDEO: u64 = 1;

/// The track that is decoded.
pub(super) struct MatroskaTrack {
    pub(super) number: u64,
    /// Taken out when the link begins.
    pub(super) codec: Option<Codec>,
    /// Sample rate in Hz.
    pub(super) rate: u32,
    /// Frames in front of the audio.
    pub(super) delay: u64,
    /// Bytes that are taken off the front of every packet (header removal).
    pub(super) prefix: Vec<u8>,
    length: FrameCount,
    /// Window of the last Vorbis packet in frames; `None` before the first and after a loss.
    window: Option<u32>,
    /// A video track lies beside it.
    pub(super) has_video: bool,
}

/// How many frames a packet decodes to.
enum FrameCount {
    Constant(u32),
    Flac(StreamInfo),
    Opus,
    Mpeg,
    Vorbis(VorbisSetup),
    Alac { frames: u32 },
    Pcm { frame_bytes: usize },
}

/// The fields of a track that its codec needs.
struct TrackFields<'a> {
    codec: &'a str,
    private: &'a [u8],
    rate: u32,
    /// Sample rate behind the codec in Hz, twice that of its core for high-efficiency AAC.
    output_rate: u32,
    channels: u32,
    bits: u64,
}

impl MatroskaTrack {
    /// Reads the content of a `Tracks` element.
    ///
    /// # Errors
    /// Those of [`choose`].
    pub(super) fn find(
        tracks: &[u8],
        limits: &DecodeLimits,
        wanted: Option<NonZero<u32>>,
    ) -> Result<(MatroskaTrack, AudioTrack), DecodeError> {
        let entries = || Element::children(tracks).filter(|child| child.0 == TRACK_ENTRY);
        let kind = |entry: &[u8]| Element::child(entry, 0x83).map_or(0, unsigned);
        let has_video = entries().any(|(_, entry)| kind(entry) == VIDEO);
        let audio = entries().map(|(_, entry)| entry).filter(|entry| kind(entry) == AUDIO);
        let audio: Vec<&[u8]> = audio.collect();
        let read = |index: usize| MatroskaTrack::read(audio[index], limits);
        let codec = |track: &MatroskaTrack| track.codec.as_ref().map(Codec::name);
        let (track, number) = choose(Container::Matroska, audio.len(), wanted, read, codec)?;
        Ok((MatroskaTrack { has_video, ..track }, number))
    }

    fn read(entry: &[u8], limits: &DecodeLimits) -> Result<MatroskaTrack, DecodeError> {
        let field = |id: u32| Element::child(entry, id);
        let audio = field(0xe1).unwrap_or_default();
        let rate =
            |id: u32| Element::child(audio, id).map(|rate| float(rate).clamp(0.0, 1e9) as u32);
        let sampling = rate(0xb5).unwrap_or(8_000);
        let fields = TrackFields {
            codec: field(0x86).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default(),
            private: field(0x63a2).unwrap_or_default(),
            rate: sampling,
            output_rate: rate(0x78b5).unwrap_or(sampling),
            channels: Element::child(audio, 0x9f).map_or(1, unsigned).min(255) as u32,
            bits: Element::child(audio, 0x6264).map_or(0, unsigned),
        };
        let prefix = match field(0x6d80) {
            Some(encodings) => removed_header(encodings)
                .ok_or_else(|| unsupported("a compressed or encrypted track".to_owned()))?,
            None => Vec::new(),
        };
        let (codec, rate, length) = fields.codec(limits)?;
        let delay = match (field(0x56aa), &codec) {
            (Some(delay), _) => frames(unsigned(delay), rate),
            (None, Codec::Opus(head)) => head.pre_skip.into(),
            (None, _) => 0,
        };
        let number = field(0xd7).map_or(0, unsigned);
        let codec = Some(codec);
        let (window, has_video) = (None, false);
        Ok(MatroskaTrack { number, codec, rate, delay, prefix, length, window, has_video })
    }

    /// Frames that a packet decodes to, and whether its checksum is right; `None` if it is broken.
    pub(super) fn length(&mut self, packet: &[u8]) -> Option<(u32, bool)> {
        let frames = match &self.length {
            FrameCount::Constant(frames) => *frames,
            FrameCount::Flac(info) => {
                return info.frame(packet).map(|header| (header.frames, is_whole(packet)));
            }
            FrameCount::Opus => opus::frames(packet)?,
            FrameCount::Mpeg => Header::parse(packet)?.frames,
            FrameCount::Vorbis(setup) => {
                let window = setup.window(packet);
                let before = std::mem::replace(&mut self.window, window);
                let window = window?;
                before.map_or(0, |before| (before + window) / 4)
            }
            FrameCount::Alac { frames } => alac_frames(packet).unwrap_or(*frames).min(*frames),
            FrameCount::Pcm { frame_bytes } => (packet.len() / frame_bytes) as u32,
        };
        Some((frames, true))
    }

    /// Frames of the codec's delay that the first packet takes without decoding to them: half a window of
    /// Vorbis.
    pub(super) fn priming(&self, packet: &[u8]) -> u32 {
        match &self.length {
            FrameCount::Vorbis(setup) => setup.window(packet).unwrap_or(0) / 2,
            _ => 0,
        }
    }

    /// What follows does not continue the last packet.
    pub(super) fn reset(&mut self) {
        self.window = None;
    }
}

impl TrackFields<'_> {
    /// The codec, its sample rate in Hz, and the length of its packets.
    fn codec(&self, limits: &DecodeLimits) -> Result<(Codec, u32, FrameCount), DecodeError> {
        let TrackFields { private, rate, channels, .. } = *self;
        let layer = |layer| Ok((Codec::Mpeg { layer, channels }, rate, FrameCount::Mpeg));
        match self.codec {
            "A_OPUS" => {
                let head = OpusHead::parse(private);
                let head = head.ok_or(malformed("its Opus header cannot be read"))?;
                match head.unsupported() {
                    Some(codec) => Err(unsupported(codec)),
                    None => Ok((Codec::Opus(head), opus::OPUS_RATE, FrameCount::Opus)),
                }
            }
            "A_VORBIS" => vorbis(private, limits),
            "A_FLAC" => {
                // The magic bytes, and the header of the first block.
                let info = private.get(8..).and_then(StreamInfo::parse);
                let info = info.ok_or(malformed("its FLAC header cannot be read"))?;
                let layout = ChannelLayout::of_count(info.channels);
                let codec = info.codec(Container::Matroska, layout)?;
                Ok((codec, info.rate, FrameCount::Flac(info)))
            }
            name if name.starts_with("A_AAC") => self.aac(),
            "A_MPEG/L1" => layer(1),
            "A_MPEG/L2" => layer(2),
            "A_MPEG/L3" => layer(3),
            "A_ALAC" => {
                let cookie = private.get(..24).ok_or(malformed("its ALAC cookie is too short"))?;
                let frames = unsigned(&cookie[..4]) as u32;
                let (channels, rate) = (u32::from(cookie[9]), unsigned(&cookie[20..]) as u32);
                let codec = Codec::Alac { cookie: cookie.to_vec(), channels };
                Ok((codec, rate, FrameCount::Alac { frames }))
            }
            "A_PCM/INT/LIT" | "A_PCM/INT/BIG" | "A_PCM/FLOAT/IEEE" => self.pcm(),
            name => Err(unsupported(codec_name(name))),
        }
    }

    fn aac(&self) -> Result<(Codec, u32, FrameCount), DecodeError> {
        let config = AacConfig::of_mpeg4(self.private);
        let config = config.ok_or(malformed("its AAC configuration cannot be read"))?;
        if let Some(codec) = config.unsupported([self.rate, self.output_rate]) {
            return Err(unsupported(codec));
        }
        let AacConfig { rate, channels, bytes: config, .. } = config;
        Ok((Codec::Aac { config, channels }, rate, FrameCount::Constant(1024)))
    }

    fn pcm(&self) -> Result<(Codec, u32, FrameCount), DecodeError> {
        let sample = match (self.codec, self.bits) {
            ("A_PCM/FLOAT/IEEE", 32) => SampleFormat::Float32,
            ("A_PCM/FLOAT/IEEE", 64) => SampleFormat::Float64,
            ("A_PCM/INT/LIT" | "A_PCM/INT/BIG", 8) => SampleFormat::Unsigned8,
            ("A_PCM/INT/LIT" | "A_PCM/INT/BIG", bits @ (16 | 24 | 32)) => {
                SampleFormat::Signed(bits as usize / 8)
            }
            (_, bits) => return Err(unsupported(format!("PCM of {bits} bits"))),
        };
        let big_endian = self.codec == "A_PCM/INT/BIG";
        let pcm = PcmFormat { sample, big_endian, channels: self.channels as usize };
        // No channels are refused later.
        let frame_bytes = pcm.frame_bytes().max(1);
        let layout = ChannelLayout::of_count(self.channels);
        Ok((Codec::Pcm { pcm, layout }, self.rate, FrameCount::Pcm { frame_bytes }))
    }
}

/// Vorbis: the private data are the count of headers less one, the lengths of all but the last, and the
/// three headers.
fn vorbis(private: &[u8], limits: &DecodeLimits) -> Result<(Codec, u32, FrameCount), DecodeError> {
    let broken = malformed("its Vorbis headers cannot be read");
    let read = || {
        let (&count, mut rest) = private.split_first()?;
        let mut lengths = [0; 2];
        for length in &mut lengths {
            let full = rest.iter().take_while(|&&byte| byte == 255).count();
            *length = full * 255 + usize::from(*rest.get(full)?);
            rest = &rest[full + 1..];
        }
        let (identification, rest) = rest.split_at_checked(lengths[0])?;
        Some((identification, rest.get(lengths[1]..)?)).filter(|_| count == 2)
    };
    let Some((identification, setup)) = read() else { return Err(broken) };
    let headers = [identification, setup].concat();
    let setup = VorbisSetup::parse(identification, setup, limits.codebook_values)
        .map_err(|error| error.in_container(Container::Matroska, limits.codebook_values))?;
    let (channels, rate) = (setup.channels, setup.rate);
    Ok((Codec::Vorbis { headers, channels }, rate, FrameCount::Vorbis(setup)))
}

/// Frames of an ALAC packet, if it states them: one that is shorter than the others does.
fn alac_frames(packet: &[u8]) -> Option<u32> {
    let bits = packet.first_chunk::<8>().map(|&bytes| u64::from_be_bytes(bytes))?;
    // Element, instance and unused bits, then a flag, three bits, and the count.
    let has_count = bits >> (63 - 19) & 1 == 1;
    has_count.then_some((bits >> (64 - 23 - 32)) as u32)
}

/// Bytes that the track's encoding has removed from every packet; `None` for other encodings.
fn removed_header(encodings: &[u8]) -> Option<Vec<u8>> {
    const HEADER_REMOVAL: u64 = 3;
    let mut all = Element::children(encodings).filter(|child| child.0 == 0x6240);
    let encoding = all.next()?.1;
    let compression = Element::child(encoding, 0x5034)?;
    let algorithm = Element::child(compression, 0x4254).map_or(0, unsigned);
    let settings = Element::child(compression, 0x4255).unwrap_or_default();
    (algorithm == HEADER_REMOVAL && all.next().is_none()).then(|| settings.to_vec())
}

/// Frames of a time in nanoseconds, rounded.
pub(super) fn frames(nanoseconds: u64, rate: u32) -> u64 {
    let frames = (u128::from(nanoseconds) * u128::from(rate) + 500_000_000) / 1_000_000_000;
    u64::try_from(frames).unwrap_or(u64::MAX)
}

fn codec_name(name: &str) -> String {
    let known = match name {
        "A_AC3" => "AC-3",
        "A_EAC3" => "E-AC-3",
        "A_AC4" => "AC-4",
        "A_DTS" | "A_DTS/EXPRESS" | "A_DTS/LOSSLESS" => "DTS",
        "A_TRUEHD" => "TrueHD",
        "A_MLP" => "MLP",
        "A_WAVPACK4" => "WavPack",
        "A_TTA1" => "True Audio",
        "A_MS/ACM" => "a codec of Windows (ACM)",
        _ => return format!("the codec {name:?}"),
    };
    known.to_owned()
}
