//! Codecs: from packets to samples. The only module that uses Symphonia's decoders.

mod aac_packet;
pub(crate) mod pcm;

use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::panics::catch_panic;
use super::report::CodecName;
use crate::decode::codecs::aac_packet::has_channel;
use crate::decode::codecs::pcm::PcmFormat;
use crate::decode::downmix::{ChannelLayout, Downmix};

/// A codec with the parameters that it needs before the first packet.
pub(super) enum Codec {
    /// Uncompressed samples.
    Pcm { pcm: PcmFormat, layout: ChannelLayout },
    /// `stream_info`: the 34 bytes of STREAMINFO.
    Flac { stream_info: Vec<u8>, channels: u32, layout: ChannelLayout },
    /// Needs no parameters: every frame has a header.
    Mp3 { channels: u32 },
    /// `headers`: identification and set-up header, concatenated.
    Vorbis { headers: Vec<u8>, channels: u32 },
    /// `config`: the AudioSpecificConfig.
    Aac { config: Vec<u8>, channels: u32 },
    /// `cookie`: the magic cookie, 24 bytes.
    Alac { cookie: Vec<u8>, channels: u32 },
}

impl Codec {
    /// The codec's name.
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

    /// Channels of the source.
    pub(super) fn channels(&self) -> u32 {
        match self {
            Codec::Pcm { pcm, .. } => pcm.channels as u32,
            Codec::Flac { channels, .. }
            | Codec::Mp3 { channels }
            | Codec::Vorbis { channels, .. }
            | Codec::Aac { channels, .. }
            | Codec::Alac { channels, .. } => *channels,
        }
    }

    /// The downmix of its channels to stereo.
    pub(super) fn downmix(&self) -> Downmix {
        let layout = match self {
            Codec::Pcm { layout, .. } | Codec::Flac { layout, .. } => *layout,
            // Symphonia 0.6.1 swaps the names of two ALAC 7.1 channels with those of two others.
            Codec::Alac { channels, .. } => ChannelLayout::of_alac(*channels),
            Codec::Mp3 { channels }
            | Codec::Vorbis { channels, .. }
            | Codec::Aac { channels, .. } => ChannelLayout::of_count(*channels),
        };
        Downmix::new(self.channels(), layout)
    }

    /// Symphonia's codec and extra data; `None` for PCM.
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

/// The packet cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Decodes the packets of one link.
pub(super) struct PacketDecoder {
    codec: Codec,
    /// `None` for PCM, and if a decoder that panicked could not be replaced.
    decoder: Option<Box<dyn AudioDecoder>>,
}

impl PacketDecoder {
    /// Creates the decoder.
    ///
    /// # Errors
    /// The reason why the codec rejects its headers, in words.
    pub(super) fn new(codec: Codec) -> Result<PacketDecoder, String> {
        let decoder = make(&codec)?;
        Ok(PacketDecoder { codec, decoder })
    }

    /// Decodes a packet of `frames` frames into one plane per channel.
    ///
    /// A decoder that panics is replaced, because its state is undefined.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        frames: u32,
        planes: &mut Vec<Vec<f32>>,
    ) -> Result<(), Damaged> {
        if let Codec::Pcm { pcm, .. } = &self.codec {
            pcm.decode(bytes, planes);
            return Ok(());
        }
        let decoder = self.decoder.as_mut().ok_or(Damaged)?;
        if bytes.is_empty() || matches!(self.codec, Codec::Aac { .. }) && !has_channel(bytes) {
            return Err(Damaged);
        }
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::from(u64::from(frames)), bytes);
        let decoded = catch_panic(|| match decoder.decode_ref(&packet) {
            Ok(audio) => copy(audio, planes),
            Err(_) => Err(Damaged),
        });
        decoded.unwrap_or_else(|| {
            self.decoder = make(&self.codec).ok().flatten();
            Err(Damaged)
        })
    }

    /// Discards the state of previous packets: the next one does not follow them.
    pub(super) fn reset(&mut self) {
        let Some(decoder) = self.decoder.as_mut() else { return };
        if catch_panic(|| decoder.reset()).is_none() {
            self.decoder = make(&self.codec).ok().flatten();
        }
    }
}

/// Creates Symphonia's decoder for a codec; `None` for PCM.
fn make(codec: &Codec) -> Result<Option<Box<dyn AudioDecoder>>, String> {
    let Some((id, extra)) = codec.symphonia() else { return Ok(None) };
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(id);
    if !extra.is_empty() {
        parameters.with_extra_data(extra.into());
    }
    catch_panic(|| {
        symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
    })
    .ok_or_else(|| "its headers are broken".to_owned())?
    .map(Some)
    .map_err(|error| error.to_string())
}

/// Copies decoded samples. Symphonia's integers have 32 bits, whatever the source had.
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
        // None of these codecs yields another sample format.
        _ => return Err(Damaged),
    }
    Ok(())
}
