//! Finds the silent passages of an upload: 50 ms or more of digital zero in one channel, before resampling changes them.

use serde::{Deserialize, Serialize};

use crate::audio::{Frames, Hertz, Stereo};

/// Shortest silent passage. Shorter pauses between samples of quiet 8- and 16-bit recordings are not silence.
const SHORTEST_MS: u64 = 50;

/// An edge of a silent passage of one channel. Positions are rounded into the passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceEdge {
    /// 0 is left, 1 is right.
    pub channel: usize,
    /// Whether the passage begins or ends.
    pub kind: EdgeKind,
    /// Position at the rate of the track.
    pub track: Frames,
    /// Position at the rate of the first link.
    pub source: Frames,
}

/// Which edge of a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EdgeKind {
    /// The first silent frame.
    Start,
    /// The first frame behind the passage. A passage that lasts until the end of the track has none.
    End,
}

/// Finds the edges of silent passages in consecutive blocks.
///
/// Edges come in the order in which they are known: a start 50 ms behind itself, an end at once; those of one frame by
/// channel. The order and the edges do not depend on the size of the blocks.
#[derive(Debug)]
pub struct SilenceDetector {
    timeline: Timeline,
    /// Frames seen of this run.
    frames: u64,
    channels: [Zeros; Stereo::CHANNELS],
    edges: Vec<SilenceEdge>,
}

/// Links with one source rate, which are resampled as one stream.
#[derive(Debug, Clone, Copy)]
struct Timeline {
    rate: Hertz,
    /// The first frame, at the rate of the track.
    origin: Frames,
    track_rate: Hertz,
    source_rate: Hertz,
}

/// The consecutive zeros at the end of what one channel has had.
#[derive(Debug)]
struct Zeros {
    /// Their number, at the rate of the current run.
    frames: u64,
    /// Their first frame, at the rates of the track and of the source, if it is in an earlier run.
    start: Option<(Frames, Frames)>,
    /// Whether their start has been reported.
    is_passage: bool,
    /// Whether the channel has had no other samples.
    is_all: bool,
}

impl SilenceEdge {
    /// The frames of the track after which the edge is known: those of the shortest passage, or the first behind it.
    pub fn known_at(&self, track_rate: Hertz) -> Frames {
        match self.kind {
            EdgeKind::Start => self.track + shortest(track_rate),
            EdgeKind::End => self.track + Frames(1),
        }
    }
}

impl SilenceDetector {
    /// A detector at the beginning of an upload whose first link has the rate `source_rate`.
    pub fn new(source_rate: Hertz, track_rate: Hertz) -> SilenceDetector {
        let zeros = || Zeros { frames: 0, start: None, is_passage: false, is_all: true };
        SilenceDetector {
            timeline: Timeline { rate: source_rate, origin: Frames::ZERO, track_rate, source_rate },
            frames: 0,
            channels: [zeros(), zeros()],
            edges: Vec::new(),
        }
    }

    /// Continues with frames at another rate, the first of which is frame `origin` of the track.
    pub fn change_rate(&mut self, rate: Hertz, origin: Frames) {
        for zeros in &mut self.channels {
            if zeros.frames > 0 {
                let first = self.frames.saturating_sub(zeros.frames);
                let start = zeros.start.unwrap_or(self.timeline.position(first, EdgeKind::Start));
                zeros.start = Some(start);
                zeros.frames = Frames(zeros.frames).resampled(self.timeline.rate, rate).0;
            }
        }
        self.timeline = Timeline { rate, origin, ..self.timeline };
        self.frames = 0;
    }

    /// Examines the next frames.
    pub fn push(&mut self, audio: &Stereo) {
        let known = self.edges.len();
        let mut order = Vec::new();
        for channel in 0..Stereo::CHANNELS {
            self.scan(channel, audio.planes()[channel], &mut order);
        }
        self.frames += audio.frames().0;
        // Both channels are scanned in turn, and their edges are merged.
        let mut found: Vec<_> = order.into_iter().zip(self.edges.drain(known..)).collect();
        found.sort_by_key(|&(at, edge)| (at, edge.channel));
        self.edges.extend(found.into_iter().map(|(_, edge)| edge));
    }

    /// Ends the upload: channels that are zero everywhere are silent, however short they are.
    pub fn finish(&mut self) {
        for channel in 0..Stereo::CHANNELS {
            let zeros = &mut self.channels[channel];
            if zeros.is_all && zeros.frames > 0 && !zeros.is_passage {
                zeros.is_passage = true;
                let (track, source) = (Frames::ZERO, Frames::ZERO);
                self.edges.push(SilenceEdge { channel, kind: EdgeKind::Start, track, source });
            }
        }
    }

    /// The edges found since the last call.
    pub fn take_edges(&mut self) -> Vec<SilenceEdge> {
        std::mem::take(&mut self.edges)
    }

    /// Adds the edges in the next samples of one channel, and to `order` the frame of each at which it is known.
    fn scan(&mut self, channel: usize, samples: &[f32], order: &mut Vec<u64>) {
        let (timeline, shortest) = (self.timeline, shortest(self.timeline.rate).0);
        let zeros = &mut self.channels[channel];
        let mut add = |known: u64, kind: EdgeKind, (track, source): (Frames, Frames)| {
            order.push(known);
            self.edges.push(SilenceEdge { channel, kind, track, source });
        };
        let mut at = 0;
        while at < samples.len() {
            let first = self.frames + at as u64;
            let count = leading_zeros(&samples[at..]);
            if count > 0 {
                let before = zeros.frames;
                zeros.frames += count as u64;
                at += count;
                if !zeros.is_passage && zeros.frames >= shortest {
                    let start = || timeline.position(first.saturating_sub(before), EdgeKind::Start);
                    let start = zeros.start.unwrap_or_else(start);
                    let known = first + shortest.saturating_sub(before + 1);
                    zeros.is_passage = true;
                    add(known, EdgeKind::Start, start);
                }
                continue;
            }
            if zeros.is_passage {
                add(first, EdgeKind::End, timeline.position(first, EdgeKind::End));
            }
            *zeros = Zeros { frames: 0, start: None, is_passage: false, is_all: false };
            at += leading_sound(&samples[at..]);
        }
    }
}

impl Timeline {
    /// The position of a frame of the run on the track and on the source.
    fn position(self, frame: u64, kind: EdgeKind) -> (Frames, Frames) {
        let [rate, track, source] =
            [self.rate, self.track_rate, self.source_rate].map(|rate| u128::from(rate.0.max(1)));
        // In units of which there are `rate` times `track` in a second.
        let time = u128::from(self.origin.0) * rate + u128::from(frame) * track;
        let at = |rate: u128, unit: u128| {
            let frames = match kind {
                EdgeKind::Start => (time * rate).div_ceil(unit),
                EdgeKind::End => time * rate / unit,
            };
            Frames(u64::try_from(frames).unwrap_or(u64::MAX))
        };
        (at(1, rate), at(source, rate * track))
    }
}

/// Frames of the shortest silent passage.
fn shortest(rate: Hertz) -> Frames {
    Frames((u64::from(rate.0) * SHORTEST_MS).div_ceil(1000))
}

fn leading_zeros(samples: &[f32]) -> usize {
    samples.iter().position(|&sample| sample != 0.0).unwrap_or(samples.len())
}

fn leading_sound(samples: &[f32]) -> usize {
    /// Samples compared at once.
    const LANES: usize = 64;
    let is_sound = |lane: &&[f32]| lane.iter().fold(true, |all, &sample| all & (sample != 0.0));
    let whole = LANES * samples.chunks_exact(LANES).take_while(is_sound).count();
    let rest = &samples[whole..];
    whole + rest.iter().position(|&sample| sample == 0.0).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
