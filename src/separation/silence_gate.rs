//! Sets the stems to zero where the upload is silent.
//!
//! Engines return low noise where their input is digital zero, and mix the channels. The gate is the last step before frames
//! are written, so that it holds for every engine, during a switch of engines, and for stems of any recipe and rate. All
//! stems of a frame are multiplied by the same gain, so that their sum remains what it was times the gain; it was near zero,
//! because the mixture is zero.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::audio::{Frames, Hertz, Stereo};
use crate::decode::EdgeKind;
use crate::dsp::fade::linear_shares;
use crate::separation::silence_file::{SilenceFileReader, StemEdge};

/// Duration of the fades at the edges of a silent passage, inside it.
const FADE: Duration = Duration::from_millis(10);

/// How far behind the frames that are written edges are read: farther than a passage is long when its start is known, and
/// than a fade before its end.
const LOOK_AHEAD: Duration = Duration::from_millis(100);

/// Applies the silent passages of an upload to its stems.
#[derive(Debug)]
pub(super) struct SilenceGate {
    file: SilenceFileReader,
    /// Bytes of the file that are known to be written.
    known: u64,
    /// The first edge beyond the look-ahead.
    ahead: Option<StemEdge>,
    /// The passages of each channel that are not behind the position.
    passages: [VecDeque<Passage>; Stereo::CHANNELS],
    /// The gains of a fade-out.
    fade: Vec<f32>,
    look_ahead: Frames,
}

/// A silent passage, in frames of the stems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Passage {
    start: u64,
    /// `u64::MAX` if it is beyond the look-ahead, or that of the track.
    end: u64,
}

impl SilenceGate {
    /// A gate for stems of sample rate `rate`, whose passages are in the file at `path`.
    pub(super) fn new(path: PathBuf, rate: Hertz) -> SilenceGate {
        SilenceGate {
            file: SilenceFileReader::new(path),
            known: 0,
            ahead: None,
            passages: Default::default(),
            fade: linear_shares(Frames::covering(FADE, rate).as_len()),
            look_ahead: Frames::covering(LOOK_AHEAD, rate),
        }
    }

    /// Continues with the first `known` bytes of the file: all edges that the decoded frames determine.
    pub(super) fn set_known(&mut self, known: u64) {
        self.known = known;
    }

    /// Multiplies the frames of a stem from `position` on by the gains of each channel. Positions must not go back, and the
    /// track must be decoded for [`LOOK_AHEAD`] behind the frames, or complete.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub(super) fn apply(&mut self, position: Frames, stem: &mut Stereo) -> io::Result<()> {
        self.read(position, position + stem.frames() + self.look_ahead)?;
        for (plane, passages) in stem.planes_mut().into_iter().zip(&self.passages) {
            for passage in passages {
                passage.apply(position.0, plane, &self.fade);
            }
        }
        Ok(())
    }

    /// Syncs the known edges to disk.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync(self.known)
    }

    /// Reads the edges up to `until`, and forgets the passages that end before `from`. The edges behind the first one beyond
    /// `until` are farther than a passage's shortest duration beyond the frames that `until` looks ahead of.
    fn read(&mut self, from: Frames, until: Frames) -> io::Result<()> {
        loop {
            for passages in &mut self.passages {
                while passages.front().is_some_and(|passage| passage.end <= from.0) {
                    passages.pop_front();
                }
            }
            let next = match self.ahead.take() {
                None => self.file.next(self.known)?,
                ahead => ahead,
            };
            match next {
                None => return Ok(()),
                Some(edge) if edge.position > until => {
                    self.ahead = Some(edge);
                    return Ok(());
                }
                Some(edge) => self.add(edge),
            }
        }
    }

    fn add(&mut self, edge: StemEdge) {
        let passages = &mut self.passages[edge.channel];
        match edge.kind {
            EdgeKind::Start => {
                passages.push_back(Passage { start: edge.position.0, end: u64::MAX });
            }
            EdgeKind::End => {
                if let Some(passage) = passages.back_mut() {
                    passage.end = edge.position.0;
                }
            }
        }
    }
}

impl Passage {
    /// Applies the passage to the samples of one channel from frame `from` on. `fade` are the gains of a fade-out.
    fn apply(self, from: u64, samples: &mut [f32], fade: &[f32]) {
        let length = fade.len() as u64;
        // Nothing precedes the track, and nothing follows it.
        let fade_out = if self.start == 0 { 0 } else { length };
        let silent = self.start + fade_out..self.end.saturating_sub(length);
        debug_assert!(silent.start <= silent.end, "a passage is longer than its fades");
        let index = |frame: u64| frame.saturating_sub(from).min(samples.len() as u64) as usize;
        let [start, zero, sound, end] = [self.start, silent.start, silent.end, self.end].map(index);
        for (frame, sample) in (from + start as u64..).zip(&mut samples[start..zero]) {
            *sample *= fade[(frame - self.start) as usize];
        }
        samples[zero..sound].fill(0.0);
        for (frame, sample) in (from + sound as u64..).zip(&mut samples[sound..end]) {
            *sample *= fade[(self.end - 1 - frame) as usize];
        }
    }
}

#[cfg(test)]
mod tests;
