//! A part of an upload: what lies before it is decoded and dropped, what follows is not decoded.

use super::decoder::{Block, Decoder};
use super::error::DecodeError;
use super::report::{DecodeReport, SourceInfo};
use crate::audio::{Frames, Hertz, TimeSpan};

/// Decodes a part of an upload.
pub(super) struct PartDecoder {
    decoder: Decoder,
    source: SourceInfo,
    span: TimeSpan,
    /// The rate of the frames below: that of the last block.
    rate: Hertz,
    /// Frames that are still before the part.
    before: Frames,
    /// Frames of the part that are still to come; `None` up to the end of the upload.
    left: Option<Frames>,
    has_begun: bool,
}

impl PartDecoder {
    /// The part `span` of what `decoder` decodes.
    pub(super) fn new(decoder: Decoder, span: TimeSpan) -> PartDecoder {
        let mut source = decoder.source().clone();
        let rate = source.rate;
        let (before, left) = span.frames(rate);
        source.frames = source.frames.map(|stated| {
            let rest = stated.saturating_sub(before);
            left.map_or(rest, |left| left.min(rest))
        });
        PartDecoder { decoder, source, span, rate, before, left, has_begun: false }
    }

    /// What the headers of the first link state; the length is that of the part.
    pub(super) fn source(&self) -> &SourceInfo {
        &self.source
    }

    /// What has been decoded, repaired and skipped so far.
    pub(super) fn report(&self) -> DecodeReport {
        self.decoder.report()
    }

    /// The next block of the part; `None` after its end.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`]; [`DecodeError::BehindEnd`].
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, DecodeError> {
        while self.left != Some(Frames::ZERO) {
            let Some(mut block) = self.decoder.next_block()? else {
                return if self.has_begun || self.span.is_whole() {
                    Ok(None)
                } else {
                    let end = self.span.frames(self.rate).0.saturating_sub(self.before);
                    let end_s = end.duration(self.rate).as_secs_f64();
                    Err(DecodeError::BehindEnd { start_s: self.span.start.as_secs_f64(), end_s })
                };
            };
            self.change_rate(block.rate);
            let dropped = block.audio.take_front(self.before.as_len().min(block.audio.len()));
            self.before = self.before - dropped.frames();
            if let Some(left) = &mut self.left {
                let kept = block.audio.frames().min(*left);
                block.audio.resize(kept.as_len());
                *left = *left - kept;
            }
            if !block.audio.is_empty() {
                self.has_begun = true;
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Converts what is before the part and left of it to the rate of the next link.
    fn change_rate(&mut self, rate: Hertz) {
        if rate != self.rate {
            self.before = self.before.resampled(self.rate, rate);
            self.left = self.left.map(|left| left.resampled(self.rate, rate));
            self.rate = rate;
        }
    }
}
