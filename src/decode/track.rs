//! An upload as one track: stereo at one sample rate.

use super::part::PartDecoder;
use crate::audio::resample::{ResampleError, Resampler};
use crate::audio::{Frames, Hertz, Stereo, TimeSpan};
use crate::decode::silence::{SilenceDetector, SilenceEdge};
use crate::decode::{DecodeError, DecodeLimits, DecodeReport, Decoder, Input, ReadAt, SourceInfo};

/// Error of reading a track.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The upload cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The requested rate is not supported.
    #[error(transparent)]
    Resample(#[from] ResampleError),
}

impl TrackError {
    /// Whether another decoder may read the upload.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, TrackError::Decode(error) if error.is_unsupported())
    }

    /// Whether the upload is of a container whose times show when its audio begins.
    pub fn is_timed(&self) -> bool {
        matches!(self, TrackError::Decode(error) if error.is_timed())
    }

    /// The remedy, as one imperative sentence; `None` if there is none more specific than that of the reason.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            TrackError::Decode(error) => error.remedy(),
            TrackError::Resample(_) => None,
        }
    }
}

/// Decodes an upload and resamples it to one rate.
///
/// Each run of links with the same source rate has a resampler of its own, so that every run is
/// [`Frames::resampled`] frames long and none leaks into the next.
pub struct TrackReader {
    decoder: PartDecoder,
    rate: Hertz,
    /// Source rate and resampler of the current run; `None` after the last frame.
    current: Option<(Hertz, Resampler)>,
    /// Length of the previous runs, at the rate of the first link.
    source_frames: Frames,
    /// Length of the previous runs, at the rate of the track.
    track_frames: Frames,
    /// Length of the current run, at its source rate.
    run_frames: Frames,
    silence: Option<SilenceDetector>,
}

impl TrackReader {
    /// Opens an upload as [`Decoder::open`] does; `rate` is the rate of the track.
    ///
    /// # Errors
    /// Those of [`Decoder::open`], and [`ResampleError::UnsupportedRate`] for `rate`.
    pub fn open(
        upload: Box<dyn ReadAt>,
        input: &Input,
        limits: &DecodeLimits,
        rate: Hertz,
    ) -> Result<TrackReader, TrackError> {
        TrackReader::open_part(upload, input, limits, rate, TimeSpan::default())
    }

    /// Opens a part of an upload. Nothing behind the part is read.
    ///
    /// # Errors
    /// Those of [`TrackReader::open`].
    pub fn open_part(
        upload: Box<dyn ReadAt>,
        input: &Input,
        limits: &DecodeLimits,
        rate: Hertz,
        span: TimeSpan,
    ) -> Result<TrackReader, TrackError> {
        let decoder = PartDecoder::new(Decoder::open(upload, input, limits)?, span);
        let first = decoder.source().rate;
        Ok(TrackReader {
            current: Some((first, Resampler::new(first, rate)?)),
            decoder,
            rate,
            source_frames: Frames::ZERO,
            track_frames: Frames::ZERO,
            run_frames: Frames::ZERO,
            silence: None,
        })
    }

    /// Finds silent passages from here on, before the first block.
    pub fn find_silence(&mut self) {
        self.silence = Some(SilenceDetector::new(self.source().rate, self.rate));
    }

    /// The edges of silent passages that are known since the last call: all that the frames before the end of the last block
    /// determine.
    pub fn take_silence_edges(&mut self) -> Vec<SilenceEdge> {
        self.silence.as_mut().map(SilenceDetector::take_edges).unwrap_or_default()
    }

    /// What the headers of the first link state.
    pub fn source(&self) -> &SourceInfo {
        self.decoder.source()
    }

    /// What has been decoded, repaired and skipped so far.
    pub fn report(&self) -> DecodeReport {
        self.decoder.report()
    }

    /// Frames decoded so far, at the rate of the first link ([`SourceInfo::rate`]).
    pub fn source_frames(&self) -> Frames {
        let run = self
            .current
            .as_ref()
            .map_or(Frames::ZERO, |(rate, _)| self.run_frames.resampled(*rate, self.source().rate));
        self.source_frames + run
    }

    /// The next frames, at least one; blocks until their bytes have arrived. `None` after the last
    /// frame and after an error.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`]; [`DecodeError::BehindEnd`].
    pub fn next_block(&mut self) -> Result<Option<Stereo>, TrackError> {
        let mut out = Stereo::new();
        while out.is_empty() {
            let block = self.decoder.next_block()?;
            let next = block.as_ref().map(|block| block.rate);
            match &mut self.current {
                Some((rate, resampler)) if next == Some(*rate) => {
                    let audio = block.map(|block| block.audio).unwrap_or_default();
                    self.run_frames += audio.frames();
                    if let Some(silence) = &mut self.silence {
                        silence.push(&audio);
                    }
                    resampler.push(&audio, &mut out);
                }
                _ => {
                    self.end_run(&mut out);
                    let Some(block) = block else {
                        if let Some(silence) = &mut self.silence {
                            silence.finish();
                        }
                        break;
                    };
                    let mut resampler = Resampler::new(block.rate, self.rate)?;
                    self.run_frames = block.audio.frames();
                    if let Some(silence) = &mut self.silence {
                        silence.change_rate(block.rate, self.track_frames);
                        silence.push(&block.audio);
                    }
                    resampler.push(&block.audio, &mut out);
                    self.current = Some((block.rate, resampler));
                }
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }

    /// Appends what the resampler of the current run still holds.
    fn end_run(&mut self, out: &mut Stereo) {
        self.source_frames = self.source_frames();
        if let Some((rate, resampler)) = self.current.take() {
            self.track_frames += self.run_frames.resampled(rate, self.rate);
            resampler.finish(out);
        }
    }
}
