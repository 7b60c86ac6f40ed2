//! Opus (RFC 6716) and its header (RFC 7845, 5.1), which Ogg, Matroska and MP4 share.

use opus_pure::{ChannelLayout, MAX_PACKET_SAMPLES, OpusMSDecoder, packet};

use super::Damaged;

/// Sample rate of decoded Opus in Hz, whatever the rate of the source was.
pub(crate) const OPUS_RATE: u32 = 48_000;

/// A parsed identification header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpusHead {
    pub(crate) channels: u32,
    /// Frames in front of the audio.
    pub(crate) pre_skip: u32,
    /// Gain of the output in 1/256 dB.
    gain: i16,
    family: u8,
    /// Streams, coupled streams, and the channel of the streams that each output channel takes; of
    /// family 0 none.
    mapping: Vec<u8>,
}

impl OpusHead {
    /// Parses the header of Ogg and Matroska, with its magic bytes; `None` if it is broken.
    pub(crate) fn parse(bytes: &[u8]) -> Option<OpusHead> {
        let &[version, channels, a, b, _, _, _, _, c, d, family, ref mapping @ ..] =
            bytes.strip_prefix(b"OpusHead")?
        else {
            return None;
        };
        let head = OpusHead {
            channels: channels.into(),
            pre_skip: u16::from_le_bytes([a, b]).into(),
            gain: i16::from_le_bytes([c, d]),
            family,
            mapping: mapping.to_vec(),
        };
        (version < 16 && channels > 0).then_some(head)
    }

    /// Parses the `dOps` box of MP4 (Encapsulation of Opus in ISOBMFF, 4.3.2).
    pub(crate) fn parse_mp4(bytes: &[u8]) -> Option<OpusHead> {
        let &[_, channels, a, b, _, _, _, _, c, d, family, ref mapping @ ..] = bytes else {
            return None;
        };
        let head = OpusHead {
            channels: channels.into(),
            pre_skip: u16::from_be_bytes([a, b]).into(),
            gain: i16::from_be_bytes([c, d]),
            family,
            mapping: mapping.to_vec(),
        };
        (channels > 0).then_some(head)
    }

    /// What is not supported about the header, if anything: layouts other than mono, stereo and the
    /// surround layouts of Vorbis.
    pub(crate) fn unsupported(&self) -> Option<String> {
        self.layout().is_none().then(|| {
            format!("Opus with {} channels of mapping family {}", self.channels, self.family)
        })
    }

    fn layout(&self) -> Option<ChannelLayout> {
        let layout = ChannelLayout::surround(self.channels as usize, self.family).ok()?;
        let stated = [layout.nb_streams as u8, layout.nb_coupled_streams as u8];
        let stated = [&stated[..], &layout.mapping].concat();
        (self.family == 0 || self.mapping.starts_with(&stated)).then_some(layout)
    }
}

/// Frames that a packet decodes to; `None` if it is not valid.
pub(crate) fn frames(packet: &[u8]) -> Option<u32> {
    let frames = packet::samples_48k(packet).ok()?;
    (1..=MAX_PACKET_SAMPLES).contains(&frames).then_some(frames as u32)
}

/// Decoder of one stream.
pub(super) struct OpusDecoder {
    decoder: OpusMSDecoder,
    channels: usize,
    gain: f32,
    interleaved: Vec<f32>,
}

impl OpusDecoder {
    /// # Errors
    /// The reason in words.
    pub(super) fn new(head: &OpusHead) -> Result<OpusDecoder, String> {
        let channels = head.channels as usize;
        let decoder = OpusMSDecoder::new(OPUS_RATE as i32, channels, head.family)
            .map_err(|error| error.to_string())?;
        Ok(OpusDecoder {
            decoder,
            channels,
            gain: 10_f32.powf(f32::from(head.gain) / (20.0 * 256.0)),
            interleaved: vec![0.0; MAX_PACKET_SAMPLES * channels],
        })
    }

    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        planes: &mut Vec<Vec<f32>>,
    ) -> Result<(), Damaged> {
        let frames = self
            .decoder
            .decode(packet, MAX_PACKET_SAMPLES, &mut self.interleaved)
            .map_err(|_| Damaged)?;
        let samples = self.interleaved.get(..frames * self.channels).ok_or(Damaged)?;
        planes.resize_with(self.channels, Vec::new);
        for (channel, plane) in planes.iter_mut().enumerate() {
            plane.clear();
            let samples = samples.iter().skip(channel).step_by(self.channels);
            plane.extend(samples.map(|sample| sample * self.gain));
        }
        Ok(())
    }

    pub(super) fn reset(&mut self) -> Result<(), Damaged> {
        self.decoder.reset_state().map_err(|_| Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_state_channels_delay_and_layout() {
        let stereo = b"OpusHead\x01\x02\x38\x01\x44\xac\0\0\0\0\0";
        let head = OpusHead::parse(stereo).unwrap();
        assert_eq!((head.channels, head.pre_skip), (2, 312));
        assert_eq!(head.unsupported(), None);
        assert_eq!(OpusHead::parse_mp4(b"\0\x02\x01\x38\0\0\xac\x44\0\0\0"), Some(head));
        let six = b"OpusHead\x01\x06\x38\x01\x44\xac\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";
        assert_eq!(OpusHead::parse(six).unwrap().unsupported(), None);
        let mut other = six.to_vec();
        other[21] = 5;
        let expected = "Opus with 6 channels of mapping family 1";
        assert_eq!(OpusHead::parse(&other).unwrap().unsupported().as_deref(), Some(expected));
        assert_eq!(OpusHead::parse(&stereo[..18]), None);
        assert_eq!(OpusHead::parse(b"OpusTags\x01\x02\0\0\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn packets_state_their_length() {
        // Two frames of 20 ms of CELT, one of 60 ms of SILK, none.
        assert_eq!(frames(&[0b1111_1001, 1, 2]), Some(1920));
        assert_eq!(frames(&[0b0101_1000, 1]), Some(2880));
        assert_eq!(frames(&[]), None);
    }
}
