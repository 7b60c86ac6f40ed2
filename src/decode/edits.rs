//! Edits of a track: the parts of its audio that are played, and the pauses between them.

use std::collections::VecDeque;
use std::ops::Range;

/// The parts of a track that are kept, in its order. Applied to decoded frames as these come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edits {
    parts: VecDeque<EditedPart>,
    /// Frames that have come.
    position: u64,
}

/// A part of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EditedPart {
    /// Frames of silence in front of it.
    pub(super) pause: u64,
    /// Its frames, counted from the first of the track.
    pub(super) frames: Range<u64>,
}

/// What becomes of a run of frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EditPiece {
    /// These frames of the run are kept.
    Kept(Range<u64>),
    /// This many frames of silence.
    Pause(u64),
}

impl Edits {
    /// Keeps these parts; `None` unless each begins behind the one before it.
    pub(super) fn new(parts: Vec<EditedPart>) -> Option<Edits> {
        let is_ordered = parts.is_sorted_by(|a, b| a.frames.end <= b.frames.start);
        is_ordered.then_some(Edits { parts: parts.into(), position: 0 })
    }

    /// Frames that result from a track of `all` frames. Nothing follows its last frame, no pause either.
    pub(super) fn frames_of(&self, all: u64) -> u64 {
        let parts = self.parts.iter().take_while(|part| part.frames.start < all);
        let frames = parts.map(|part| (part.frames.end.min(all) - part.frames.start) + part.pause);
        frames.fold(0, u64::saturating_add)
    }

    /// Advances by a run of `frames` frames and returns what becomes of it.
    pub(super) fn next(&mut self, frames: u64) -> Vec<EditPiece> {
        let (from, to) = (self.position, self.position.saturating_add(frames));
        self.position = to;
        let mut pieces = Vec::new();
        while let Some(part) = self.parts.front_mut() {
            let kept = part.frames.start.max(from)..part.frames.end.min(to);
            if !kept.is_empty() {
                if let pause @ 1.. = std::mem::take(&mut part.pause) {
                    pieces.push(EditPiece::Pause(pause));
                }
                pieces.push(EditPiece::Kept(kept.start - from..kept.end - from));
            }
            if part.frames.end > to {
                break;
            }
            self.parts.pop_front();
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::EditPiece::{Kept, Pause};
    use super::*;

    fn edits(parts: &[(u64, Range<u64>)]) -> Option<Edits> {
        let part = |(pause, frames): &(u64, Range<u64>)| {
            let (pause, frames) = (*pause, frames.clone());
            EditedPart { pause, frames }
        };
        Edits::new(parts.iter().map(part).collect())
    }

    #[test]
    fn parts_are_kept_with_the_pauses_between_them() {
        let mut edits = edits(&[(0, 10..20), (7, 20..25), (3, 40..u64::MAX)]).unwrap();
        assert_eq!(edits.frames_of(100), 10 + 7 + 5 + 3 + 60);
        assert_eq!(edits.frames_of(22), 10 + 7 + 2);
        assert_eq!(edits.next(5), []);
        assert_eq!(edits.next(7), [Kept(5..7)]);
        assert_eq!(edits.next(20), [Kept(0..8), Pause(7), Kept(8..13)]);
        assert_eq!(edits.next(8), []);
        assert_eq!(edits.next(10), [Pause(3), Kept(0..10)]);
        assert_eq!(edits.next(1), [Kept(0..1)]);
    }

    #[test]
    fn parts_that_are_repeated_or_reordered_are_refused() {
        assert!(edits(&[(0, 10..20), (0, 19..30)]).is_none());
        assert!(edits(&[(0, 10..20), (0, 0..5)]).is_none());
        assert!(edits(&[(0, 10..20), (0, 20..30)]).is_some());
    }
}
