//! The stereo buffer that all audio is held in: two planes of `f32`.

use std::ops::Range;

use super::units::Frames;

/// A run of stereo frames, planar. Both channels have the same length; full scale is 1.0.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Stereo {
    channels: [Vec<f32>; 2],
}

impl Stereo {
    /// Channels of every buffer.
    pub const CHANNELS: usize = 2;

    /// A buffer without frames.
    pub fn new() -> Stereo {
        Stereo::default()
    }

    /// Digital silence.
    pub fn zeros(frames: usize) -> Stereo {
        Stereo { channels: [vec![0.0; frames], vec![0.0; frames]] }
    }

    /// A buffer of two planes; `None` if their lengths differ.
    pub fn from_planes(left: Vec<f32>, right: Vec<f32>) -> Option<Stereo> {
        (left.len() == right.len()).then_some(Stereo { channels: [left, right] })
    }

    /// A buffer of interleaved samples; an incomplete last frame is dropped.
    pub fn from_interleaved(samples: &[f32]) -> Stereo {
        let pairs = samples.chunks_exact(2);
        Stereo { channels: [pairs.clone().map(|p| p[0]).collect(), pairs.map(|p| p[1]).collect()] }
    }

    /// The samples, interleaved.
    pub fn interleaved(&self) -> impl Iterator<Item = f32> + '_ {
        self.left().iter().zip(self.right()).flat_map(|(&left, &right)| [left, right])
    }

    /// The mean of both channels: that of a mixture is the sum of those of its stems.
    pub fn mono(&self) -> impl Iterator<Item = f32> + '_ {
        self.left().iter().zip(self.right()).map(|(&left, &right)| 0.5 * left + 0.5 * right)
    }

    /// The left plane.
    pub fn left(&self) -> &[f32] {
        &self.channels[0]
    }

    /// The right plane.
    pub fn right(&self) -> &[f32] {
        &self.channels[1]
    }

    /// Both planes, left first.
    pub fn planes(&self) -> [&[f32]; 2] {
        [&self.channels[0], &self.channels[1]]
    }

    /// Both planes, left first, mutable.
    pub fn planes_mut(&mut self) -> [&mut [f32]; 2] {
        let [left, right] = &mut self.channels;
        [left, right]
    }

    /// Frames held, as a length in memory.
    pub fn len(&self) -> usize {
        self.channels[0].len()
    }

    /// Frames held.
    pub fn frames(&self) -> Frames {
        Frames::from_len(self.len())
    }

    /// Whether the buffer has no frames.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends one frame.
    pub fn push(&mut self, left: f32, right: f32) {
        self.channels[0].push(left);
        self.channels[1].push(right);
    }

    /// Appends the frames of `other`.
    pub fn extend(&mut self, other: &Stereo) {
        for (plane, more) in self.channels.iter_mut().zip(other.planes()) {
            plane.extend_from_slice(more);
        }
    }

    /// Adds the samples of `other`, as far as both have them.
    pub fn add(&mut self, other: &Stereo) {
        for (plane, more) in self.channels.iter_mut().zip(other.planes()) {
            plane.iter_mut().zip(more).for_each(|(sample, more)| *sample += more);
        }
    }

    /// Copies the frames of a range.
    ///
    /// # Panics
    /// If the range exceeds the buffer.
    pub fn slice(&self, range: Range<usize>) -> Stereo {
        let [left, right] = &self.channels;
        Stereo { channels: [left[range.clone()].to_vec(), right[range].to_vec()] }
    }

    /// Pads with silence or truncates to `frames` frames.
    pub fn resize(&mut self, frames: usize) {
        for plane in &mut self.channels {
            plane.resize(frames, 0.0);
        }
    }

    /// Removes and returns the first `frames` frames, or all if there are fewer.
    pub fn take_front(&mut self, frames: usize) -> Stereo {
        let count = frames.min(self.len());
        let [left, right] = &mut self.channels;
        Stereo { channels: [left.drain(..count).collect(), right.drain(..count).collect()] }
    }

    /// Multiplies every sample by `gain`.
    pub fn scale(&mut self, gain: f32) {
        for sample in self.channels.iter_mut().flatten() {
            *sample *= gain;
        }
    }
}
