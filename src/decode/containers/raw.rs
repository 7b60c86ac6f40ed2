//! Raw PCM: nothing but samples, all the rest was said beforehand.

use crate::audio::{Encoding, Hertz};
use crate::decode::bytes::Bytes;
use crate::decode::codecs::Codec;
use crate::decode::codecs::linear::Linear;
use crate::decode::downmix::Layout;
use crate::decode::error::DecodeError;
use crate::decode::packet::{Demux, Event, Link};
use crate::decode::report::{Container, Report};

/// Interleaved samples of one or two channels.
pub(crate) struct Raw {
    linear: Linear,
    rate: Hertz,
    begun: bool,
}

impl Raw {
    pub(crate) fn open(encoding: Encoding, rate: Hertz, channels: u8) -> Result<Raw, DecodeError> {
        if !(1..=2).contains(&channels) {
            return Err(DecodeError::UnsupportedChannels { channels: channels.into(), most: 2 });
        }
        let sample = encoding.into();
        let linear = Linear { sample, big_endian: false, channels: channels.into() };
        Ok(Raw { linear, rate, begun: false })
    }
}

impl Demux for Raw {
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError> {
        if !self.begun {
            self.begun = true;
            let channels = self.linear.channels as u32;
            let codec = Codec::Pcm { linear: self.linear, layout: Layout::of_count(channels) };
            let container = Container::Raw;
            return Ok(Some(Event::Link(Link { container, codec, rate: self.rate, frames: None })));
        }
        if let Some(packet) = self.linear.packet(&mut None, bytes, report)? {
            return Ok(Some(Event::Packet(packet)));
        }
        let frame_bytes = self.linear.frame_bytes() as u64;
        match bytes.position() {
            length if length.is_multiple_of(frame_bytes) => Ok(None),
            length => Err(DecodeError::OddPcmLength { bytes: length, frame_bytes }),
        }
    }
}
