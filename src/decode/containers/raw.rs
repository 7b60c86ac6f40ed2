//! Raw PCM: samples without a header, whose format the caller states.

use super::pcm::next_packet;
use crate::audio::{Encoding, Hertz};
use crate::decode::codecs::Codec;
use crate::decode::codecs::pcm::PcmFormat;
use crate::decode::demux::{DemuxEvent, Demuxer, Link};
use crate::decode::downmix::ChannelLayout;
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, Container, DecodeReport};

/// Demuxer of interleaved samples of one or two channels.
pub(crate) struct RawDemuxer {
    pcm: PcmFormat,
    rate: Hertz,
    has_begun: bool,
}

impl RawDemuxer {
    pub(crate) fn open(
        encoding: Encoding,
        rate: Hertz,
        channels: u8,
    ) -> Result<RawDemuxer, DecodeError> {
        if !(1..=2).contains(&channels) {
            return Err(DecodeError::UnsupportedChannels { channels: channels.into(), max: 2 });
        }
        let sample = encoding.into();
        let pcm = PcmFormat { sample, big_endian: false, channels: channels.into() };
        Ok(RawDemuxer { pcm, rate, has_begun: false })
    }
}

impl Demuxer for RawDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        if !self.has_begun {
            self.has_begun = true;
            let channels = self.pcm.channels as u32;
            let codec = Codec::Pcm { pcm: self.pcm, layout: ChannelLayout::of_count(channels) };
            let container = Container::Raw;
            return Ok(Some(DemuxEvent::Link(Link {
                container,
                codec,
                rate: self.rate,
                frames: None,
                track: AudioTrack::ONLY,
            })));
        }
        if let Some(packet) = next_packet(self.pcm, &mut None, bytes, report)? {
            return Ok(Some(DemuxEvent::Packet(packet)));
        }
        let frame_bytes = self.pcm.frame_bytes() as u64;
        match bytes.position() {
            length if length.is_multiple_of(frame_bytes) => Ok(None),
            length => Err(DecodeError::OddPcmLength { bytes: length, frame_bytes }),
        }
    }
}
