//! The track: an upload as stereo at one rate.

use crate::audio::resample::{ResampleError, Resampler};
use crate::audio::{Frames, Hertz, Stereo};
use crate::decode::{DecodeError, Decoder, Input, Limits, Report, SourceInfo, Upload};

/// Why there is no track, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The upload is not decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The wanted rate is none.
    #[error(transparent)]
    Resample(#[from] ResampleError),
}

/// Decodes an upload and brings it to one rate.
///
/// A link of another rate has a resampler of its own: the one before ends with its link, so that
/// every link is [`Frames::resampled`] frames long, and nothing of one is heard in the other.
pub struct TrackReader {
    decoder: Decoder,
    rate: Hertz,
    /// The rate of the current link, and what brings it to that of the track; `None` behind the
    /// last frame.
    current: Option<(Hertz, Resampler)>,
    /// The length of the links before, at the rate of the first.
    source_frames: Frames,
    /// The length of the current run of one rate, at its own.
    run_frames: Frames,
}

impl TrackReader {
    /// Reads as much as it takes to know what the upload is, waiting for it.
    pub fn open(
        upload: Box<dyn Upload>,
        input: &Input,
        limits: &Limits,
        rate: Hertz,
    ) -> Result<TrackReader, TrackError> {
        let decoder = Decoder::open(upload, input, limits)?;
        let first = decoder.source().rate;
        Ok(TrackReader {
            current: Some((first, Resampler::new(first, rate)?)),
            decoder,
            rate,
            source_frames: Frames::ZERO,
            run_frames: Frames::ZERO,
        })
    }

    /// What the first stream says of itself.
    pub fn source(&self) -> &SourceInfo {
        self.decoder.source()
    }

    /// What became of the upload so far.
    pub fn report(&self) -> Report {
        self.decoder.report()
    }

    /// Frames decoded so far, at the rate of the first link: [`SourceInfo::rate`].
    pub fn source_frames(&self) -> Frames {
        let run = self
            .current
            .as_ref()
            .map_or(Frames::ZERO, |(rate, _)| self.run_frames.resampled(*rate, self.source().rate));
        self.source_frames + run
    }

    /// The next frames, at least one, waiting for the bytes that they are in; `None` behind the
    /// last, and after an error.
    pub fn next_block(&mut self) -> Result<Option<Stereo>, TrackError> {
        let mut out = Stereo::new();
        while out.is_empty() {
            let block = self.decoder.next_block()?;
            let next = block.as_ref().map(|block| block.rate);
            match &mut self.current {
                Some((rate, resampler)) if next == Some(*rate) => {
                    let audio = block.map(|block| block.audio).unwrap_or_default();
                    self.run_frames += audio.frames();
                    resampler.push(&audio, &mut out);
                }
                _ => {
                    self.end_run(&mut out);
                    let Some(block) = block else { break };
                    let mut resampler = Resampler::new(block.rate, self.rate)?;
                    self.run_frames = block.audio.frames();
                    resampler.push(&block.audio, &mut out);
                    self.current = Some((block.rate, resampler));
                }
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }

    /// Adds what is left of the frames of one rate.
    fn end_run(&mut self, out: &mut Stereo) {
        self.source_frames = self.source_frames();
        if let Some((_, resampler)) = self.current.take() {
            resampler.finish(out);
        }
    }
}
