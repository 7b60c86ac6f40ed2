//! Packets to samples: the one file that knows the decoders of Symphonia.

mod aac_packet;
pub(crate) mod linear;

use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::guard::guard;
use super::report::CodecName;
use crate::decode::codecs::aac_packet::has_channel;
use crate::decode::codecs::linear::Linear;
use crate::decode::downmix::{Layout, Mix};

/// A codec and what it must know before the first packet.
pub(super) enum Codec {
    /// Uncompressed.
    Pcm { linear: Linear, layout: Layout },
    /// The 34 bytes of STREAMINFO.
    Flac { stream_info: Vec<u8>, channels: u32, layout: Layout },
    /// Nothing: every frame says it all.
    Mp3 { channels: u32 },
    /// Identification and set-up header, one behind the other.
    Vorbis { headers: Vec<u8>, channels: u32 },
    /// The AudioSpecificConfig.
    Aac { config: Vec<u8>, channels: u32 },
    /// The magic cookie, 24 bytes.
    Alac { cookie: Vec<u8>, channels: u32 },
}

impl Codec {
    /// Which codec it is.
    pub(super) fn name(&self) -> CodecName {
        match self {
            Codec::Pcm { .. } => CodecName::Pcm,
            Codec::Flac { .. } => CodecName::Flac,
            Codec::Mp3 { .. } => CodecName::Mp3,
            Codec::Vorbis { .. } => CodecName::Vorbis,
            Codec::Aac { .. } => CodecName::Aac,
            Codec::Alac { .. } => CodecName::Alac,
        }
    }

    /// The channels of the source.
    pub(super) fn channels(&self) -> u32 {
        match self {
            Codec::Pcm { linear, .. } => linear.channels as u32,
            Codec::Flac { channels, .. }
            | Codec::Mp3 { channels }
            | Codec::Vorbis { channels, .. }
            | Codec::Aac { channels, .. }
            | Codec::Alac { channels, .. } => *channels,
        }
    }

    /// How its channels become two.
    pub(super) fn mix(&self) -> Mix {
        let layout = match self {
            Codec::Pcm { layout, .. } | Codec::Flac { layout, .. } => *layout,
            // Symphonia calls two of the ALAC 7.1 channels by the names of two others.
            Codec::Alac { channels, .. } => Layout::of_alac(*channels),
            Codec::Mp3 { channels }
            | Codec::Vorbis { channels, .. }
            | Codec::Aac { channels, .. } => Layout::of_count(*channels),
        };
        Mix::new(self.channels(), layout)
    }

    fn symphonia(&self) -> Option<(AudioCodecId, &[u8])> {
        match self {
            Codec::Pcm { .. } => None,
            Codec::Flac { stream_info, .. } => Some((CODEC_ID_FLAC, stream_info)),
            Codec::Mp3 { .. } => Some((CODEC_ID_MP3, &[])),
            Codec::Vorbis { headers, .. } => Some((CODEC_ID_VORBIS, headers)),
            Codec::Aac { config, .. } => Some((CODEC_ID_AAC, config)),
            Codec::Alac { cookie, .. } => Some((CODEC_ID_ALAC, cookie)),
        }
    }
}

/// The packet is not decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Decodes the packets of one link.
pub(super) struct PacketDecoder {
    codec: Codec,
    /// `None` for uncompressed audio, and after a panic that could not be recovered from.
    decoder: Option<Box<dyn AudioDecoder>>,
}

impl PacketDecoder {
    /// `Err` with the reason if the codec refuses its headers.
    pub(super) fn new(codec: Codec) -> Result<PacketDecoder, String> {
        let decoder = make(&codec)?;
        Ok(PacketDecoder { codec, decoder })
    }

    /// Fills one plane a channel with what the packet holds.
    ///
    /// A decoder that panics is replaced: what it held may be anything.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        frames: u32,
        planes: &mut Vec<Vec<f32>>,
    ) -> Result<(), Damaged> {
        if let Codec::Pcm { linear, .. } = &self.codec {
            linear.decode(bytes, planes);
            return Ok(());
        }
        let decoder = self.decoder.as_mut().ok_or(Damaged)?;
        if bytes.is_empty() || matches!(self.codec, Codec::Aac { .. }) && !has_channel(bytes) {
            return Err(Damaged);
        }
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::from(u64::from(frames)), bytes);
        let decoded = guard(|| match decoder.decode_ref(&packet) {
            Ok(audio) => copy(audio, planes),
            Err(_) => Err(Damaged),
        });
        decoded.unwrap_or_else(|| {
            self.decoder = make(&self.codec).ok().flatten();
            Err(Damaged)
        })
    }

    /// Forgets the packets before: the next one does not follow them.
    pub(super) fn forget(&mut self) {
        let Some(decoder) = self.decoder.as_mut() else { return };
        if guard(|| decoder.reset()).is_none() {
            self.decoder = make(&self.codec).ok().flatten();
        }
    }
}

/// The decoder for a codec, where it needs one.
fn make(codec: &Codec) -> Result<Option<Box<dyn AudioDecoder>>, String> {
    let Some((id, extra)) = codec.symphonia() else { return Ok(None) };
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(id);
    if !extra.is_empty() {
        parameters.with_extra_data(extra.into());
    }
    guard(|| {
        symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
    })
    .ok_or_else(|| "its headers are broken".to_owned())?
    .map(Some)
    .map_err(|error| error.to_string())
}

/// Copies what was decoded; integers have 32 bits, whatever the source had.
fn copy(audio: GenericAudioBufferRef<'_>, planes: &mut Vec<Vec<f32>>) -> Result<(), Damaged> {
    planes.resize_with(audio.num_planes(), Vec::new);
    planes.iter_mut().for_each(Vec::clear);
    match audio {
        GenericAudioBufferRef::F32(buffer) => {
            for (index, plane) in planes.iter_mut().enumerate() {
                plane.extend_from_slice(buffer.plane(index).unwrap_or_default());
            }
        }
        GenericAudioBufferRef::S32(buffer) => {
            for (index, plane) in planes.iter_mut().enumerate() {
                let samples = buffer.plane(index).unwrap_or_default();
                plane.extend(samples.iter().map(|&sample| sample as f32 / 2_147_483_648.0));
            }
        }
        // No codec that is named here yields anything else.
        _ => return Err(Damaged),
    }
    Ok(())
}
