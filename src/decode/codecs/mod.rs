//! Codecs: from packets to samples. The only module that uses Symphonia's decoders, opus-pure and
//! lewton.

pub(crate) mod aac_packet;
pub(crate) mod opus;
pub(crate) mod pcm;
mod vorbis;

use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3,
    CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::panics::catch_panic;
use super::report::CodecName;
use crate::decode::codecs::aac_packet::has_channel;
use crate::decode::codecs::opus::{OpusDecoder, OpusHead};
use crate::decode::codecs::pcm::PcmFormat;
use crate::decode::codecs::vorbis::SurroundVorbis;
use crate::decode::downmix::{ChannelLayout, Downmix};

/// A codec with the parameters that it needs before the first packet.
pub(super) enum Codec {
    /// Uncompressed samples.
    Pcm {
        pcm: PcmFormat,
        layout: ChannelLayout,
    },
    /// `stream_info`: the 34 bytes of STREAMINFO.
    Flac {
        stream_info: Vec<u8>,
        channels: u32,
        layout: ChannelLayout,
    },
    /// MPEG audio of a layer from 1 to 3. Needs no parameters: every frame has a header.
    Mpeg {
        layer: u32,
        channels: u32,
    },
    Opus(OpusHead),
    /// `headers`: identification and set-up header, concatenated.
    Vorbis {
        headers: Vec<u8>,
        channels: u32,
    },
    /// `config`: the AudioSpecificConfig.
    Aac {
        config: Vec<u8>,
        channels: u32,
    },
    /// `cookie`: the magic cookie, 24 bytes.
    Alac {
        cookie: Vec<u8>,
        channels: u32,
    },
}

impl Codec {
    /// The codec's name.
    pub(super) fn name(&self) -> CodecName {
        match self {
            Codec::Pcm { .. } => CodecName::Pcm,
            Codec::Flac { .. } => CodecName::Flac,
            Codec::Mpeg { layer: 1, .. } => CodecName::Mp1,
            Codec::Mpeg { layer: 2, .. } => CodecName::Mp2,
            Codec::Mpeg { .. } => CodecName::Mp3,
            Codec::Opus(_) => CodecName::Opus,
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
            | Codec::Mpeg { channels, .. }
            | Codec::Vorbis { channels, .. }
            | Codec::Aac { channels, .. }
            | Codec::Alac { channels, .. } => *channels,
            Codec::Opus(head) => head.channels,
        }
    }

    /// The downmix of its channels to stereo.
    pub(super) fn downmix(&self) -> Downmix {
        let layout = match self {
            Codec::Pcm { layout, .. } | Codec::Flac { layout, .. } => *layout,
            // Symphonia 0.6.1 swaps the names of two ALAC 7.1 channels with those of two others.
            Codec::Alac { channels, .. } => ChannelLayout::of_alac(*channels),
            Codec::Vorbis { .. } | Codec::Opus(_) => ChannelLayout::of_vorbis(self.channels()),
            Codec::Mpeg { channels, .. } | Codec::Aac { channels, .. } => {
                ChannelLayout::of_count(*channels)
            }
        };
        Downmix::new(self.channels(), layout)
    }

    /// Symphonia's codec and extra data; `None` for codecs that it does not decode.
    fn symphonia(&self) -> Option<(AudioCodecId, &[u8])> {
        match self {
            Codec::Pcm { .. } | Codec::Opus(_) => None,
            Codec::Flac { stream_info, .. } => Some((CODEC_ID_FLAC, stream_info)),
            Codec::Mpeg { layer: 1, .. } => Some((CODEC_ID_MP1, &[])),
            Codec::Mpeg { layer: 2, .. } => Some((CODEC_ID_MP2, &[])),
            Codec::Mpeg { .. } => Some((CODEC_ID_MP3, &[])),
            Codec::Vorbis { headers, .. } => Some((CODEC_ID_VORBIS, headers)),
            Codec::Aac { config, .. } => Some((CODEC_ID_AAC, config)),
            Codec::Alac { cookie, .. } => Some((CODEC_ID_ALAC, cookie)),
        }
    }
}

/// The packet cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// The library that decodes a codec.
enum Library {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(Box<OpusDecoder>),
    Lewton(Box<SurroundVorbis>),
}

/// Decodes the packets of one link.
pub(super) struct PacketDecoder {
    codec: Codec,
    /// `None` for PCM, and if a decoder that panicked could not be replaced.
    library: Option<Library>,
}

impl PacketDecoder {
    /// Creates the decoder.
    ///
    /// # Errors
    /// The reason why the codec rejects its headers, in words.
    pub(super) fn new(codec: Codec) -> Result<PacketDecoder, String> {
        let library = make(&codec)?;
        Ok(PacketDecoder { codec, library })
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
        let library = self.library.as_mut().ok_or(Damaged)?;
        if bytes.is_empty() || matches!(self.codec, Codec::Aac { .. }) && !has_channel(bytes) {
            return Err(Damaged);
        }
        let decoded = catch_panic(|| library.decode(bytes, frames, planes));
        decoded.unwrap_or_else(|| {
            self.library = make(&self.codec).ok().flatten();
            Err(Damaged)
        })
    }

    /// Discards the state of previous packets: the next one does not follow them.
    pub(super) fn reset(&mut self) {
        let Some(library) = self.library.as_mut() else { return };
        if catch_panic(|| library.reset()) != Some(Ok(())) {
            self.library = make(&self.codec).ok().flatten();
        }
    }
}

impl Library {
    fn decode(
        &mut self,
        bytes: &[u8],
        frames: u32,
        planes: &mut Vec<Vec<f32>>,
    ) -> Result<(), Damaged> {
        match self {
            Library::Symphonia(decoder) => {
                let duration = Duration::from(u64::from(frames));
                let packet = PacketRef::new(0, Timestamp::ZERO, duration, bytes);
                match decoder.decode_ref(&packet) {
                    Ok(audio) => copy(audio, planes),
                    Err(_) => Err(Damaged),
                }
            }
            Library::Opus(decoder) => decoder.decode(bytes, planes),
            Library::Lewton(decoder) => decoder.decode(bytes, frames, planes),
        }
    }

    fn reset(&mut self) -> Result<(), Damaged> {
        match self {
            Library::Symphonia(decoder) => decoder.reset(),
            Library::Opus(decoder) => decoder.reset()?,
            Library::Lewton(decoder) => decoder.reset(),
        }
        Ok(())
    }
}

/// Creates the decoder of a codec; `None` for PCM.
fn make(codec: &Codec) -> Result<Option<Library>, String> {
    let broken = || "its headers are broken".to_owned();
    match codec {
        Codec::Opus(head) => {
            let decoder = catch_panic(|| OpusDecoder::new(head)).ok_or_else(broken)??;
            return Ok(Some(Library::Opus(Box::new(decoder))));
        }
        Codec::Vorbis { headers, channels: 3.. } => {
            let decoder = catch_panic(|| SurroundVorbis::new(headers)).ok_or_else(broken)??;
            return Ok(Some(Library::Lewton(Box::new(decoder))));
        }
        _ => {}
    }
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
    .ok_or_else(broken)?
    .map(|decoder| Some(Library::Symphonia(decoder)))
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
