//! The progress bar of a song, with the real-time factor and the time left.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::inputs::SongJob;
use super::report::Report;
use super::time::clock;
use crate::audio::{Frames, Hertz};

/// The progress of one song: a bar on standard error if that is a terminal, and what the report gets of it.
pub(super) struct ProgressDisplay<'a> {
    report: &'a Report,
    input: &'a str,
    bar: ProgressBar,
    /// When the report last got it.
    reported: Cell<Option<Instant>>,
    begun: Instant,
    /// Audio that is separated.
    finished: Cell<Duration>,
}

/// How far a song is.
#[derive(Debug, Clone, Copy)]
pub(super) struct SongProgress {
    /// Frames whose stems are final.
    pub(super) finished: Frames,
    /// Length of the song, once it is decoded to its end.
    pub(super) total: Option<Frames>,
    /// Length of the song by its header, which may be wrong.
    pub(super) expected: Option<Frames>,
    /// Frames decoded so far.
    pub(super) decoded: Frames,
    /// Frames per second of these numbers.
    pub(super) rate: Hertz,
    /// Position in the server's queue; 0 if it is not queued.
    pub(super) queued: u32,
}

/// The length of a bar of which nothing is known: without one it would be drawn full.
const UNKNOWN_LENGTH: u64 = 1;

impl SongProgress {
    /// The length of the song, as far as it is known.
    fn known_length(&self) -> Frames {
        self.total.or(self.expected).unwrap_or(self.decoded).max(self.finished)
    }

    /// The length of the bar. Until the end of the song is known, it is longer than what is finished.
    fn bar_length(&self) -> u64 {
        let known = self.known_length().0;
        if self.total.is_some() { known.max(UNKNOWN_LENGTH) } else { known + UNKNOWN_LENGTH }
    }
}

/// How often the report gets the progress of a song.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

impl<'a> ProgressDisplay<'a> {
    /// The progress of this song.
    pub(super) fn new(report: &'a Report, song: &'a SongJob) -> ProgressDisplay<'a> {
        let bar = report.bars().add(ProgressBar::new(UNKNOWN_LENGTH));
        let style = ProgressStyle::with_template("{prefix} [{bar:32}] {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(song.name.clone());
        bar.enable_steady_tick(Duration::from_millis(250));
        let (reported, finished) = (Cell::default(), Cell::default());
        ProgressDisplay {
            report,
            input: &song.input,
            bar,
            reported,
            begun: Instant::now(),
            finished,
        }
    }

    /// Updates the bar.
    pub(super) fn show(&self, progress: SongProgress) {
        self.finished.set(progress.finished.duration(progress.rate));
        if self.reported.get().is_none_or(|at| at.elapsed() >= REPORT_INTERVAL) {
            self.reported.set(Some(Instant::now()));
            let total = progress.total.map(|total| total.duration(progress.rate));
            self.report.progress(self.input, self.finished.get(), total, progress.queued);
        }
        let known = progress.known_length();
        self.bar.set_length(progress.bar_length());
        self.bar.set_position(progress.finished.0);
        let left = known.saturating_sub(progress.finished).duration(progress.rate);
        let factor = self.factor();
        self.bar.set_message(if progress.queued > 0 {
            format!("position {} in the queue", progress.queued)
        } else if factor > 0.0 {
            let more = if progress.total.is_some() { "" } else { "+" };
            let left = clock(left.div_f64(factor));
            format!("{factor:.1}× real time, {left}{more} left")
        } else {
            "starting".to_owned()
        });
    }

    /// Prints a line above the bars.
    pub(super) fn print(&self, text: &str) {
        self.report.note(text);
    }

    /// Prints that another engine continues at `frame`.
    pub(super) fn print_engine_change(&self, message: &str, frame: Frames, rate: Hertz) {
        let at = clock(frame.duration(rate));
        self.print(&format!("note: another engine continues at {at}: {message}"));
    }

    /// Removes the bar. Returns how much audio was separated in which time.
    pub(super) fn finish(&self) -> String {
        self.bar.finish_and_clear();
        let (audio, taken) = (self.finished.get(), self.begun.elapsed());
        format!("{} in {:.1} s, {:.1}× real time", clock(audio), taken.as_secs_f64(), self.factor())
    }

    /// Seconds of audio separated per second.
    fn factor(&self) -> f64 {
        self.finished.get().as_secs_f64() / self.begun.elapsed().as_secs_f64().max(1e-3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_at_the_end_of_the_song_only() {
        let rate = Hertz(44_100);
        let full = |finished, total: Option<u64>, decoded| {
            let (finished, decoded) = (Frames(finished), Frames(decoded));
            let (total, expected) = (total.map(Frames), None);
            let progress = SongProgress { finished, total, expected, decoded, rate, queued: 0 };
            progress.bar_length() == progress.finished.0
        };
        assert!(!full(0, None, 0) && !full(0, Some(0), 0) && !full(9, None, 9));
        assert!(!full(9, Some(10), 10) && full(10, Some(10), 10));
    }
}
