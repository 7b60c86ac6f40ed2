//! The positions of Ogg pages: what is kept of their frames, and what is missing.

use std::ops::Range;

/// Position in a stream whose pages state where they end.
#[derive(Debug, Default)]
pub(super) struct PagePosition {
    /// End of the last page; `None` before the first with audio.
    end: Option<u64>,
}

/// Extent of a page in frames.
pub(super) struct PageSpan {
    /// The frames that are kept, counted from the page's first.
    kept: Range<u64>,
    /// Frames missing in front of or within the page.
    pub(super) missing: u64,
}

impl PagePosition {
    /// End position of a page with `total` frames if nothing is missing.
    pub(super) fn reach(&self, total: u64) -> u64 {
        self.end.unwrap_or(0).saturating_add(total)
    }

    /// Determines the extent of a page with `total` frames that ends at `granule`, and advances the
    /// position behind it.
    pub(super) fn advance(&mut self, total: u64, granule: Option<u64>, is_last: bool) -> PageSpan {
        let reached = self.reach(total);
        let end = granule.unwrap_or(reached);
        let is_first = self.end.replace(end).is_none();
        let over = reached.saturating_sub(end).min(total);
        PageSpan {
            kept: match (is_first, is_last) {
                (_, true) => 0..total - over,
                (true, false) => over..total,
                (false, false) => 0..total,
            },
            // A live stream may begin at any position.
            missing: if is_first { 0 } else { end.saturating_sub(reached) },
        }
    }
}

impl PageSpan {
    /// What is kept of a packet of `frames` frames that begins at frame `at` of the page.
    pub(super) fn kept_of(&self, at: u64, frames: u32) -> Range<u32> {
        let end = at + u64::from(frames);
        // Both lie within the packet, so that the differences fit its length.
        let start = (self.kept.start.clamp(at, end) - at) as u32;
        let stop = (self.kept.end.clamp(at, end) - at) as u32;
        start..stop.max(start)
    }
}
