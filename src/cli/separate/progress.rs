//! The progress bar of a song, with the real-time factor and the time left.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::audio::{Frames, Hertz};

/// The progress bar of one song, on standard error if that is a terminal.
pub(super) struct ProgressDisplay {
    bar: ProgressBar,
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
    /// Frames decoded so far.
    pub(super) decoded: Frames,
    /// Frames per second of these numbers.
    pub(super) rate: Hertz,
    /// Position in the server's queue; 0 if it is not queued.
    pub(super) queued: u32,
}

impl ProgressDisplay {
    /// The bar of a song with this name.
    pub(super) fn new(name: &str) -> ProgressDisplay {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{prefix} [{bar:32}] {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        ProgressDisplay { bar, begun: Instant::now(), finished: Cell::default() }
    }

    /// Updates the bar.
    pub(super) fn show(&self, progress: SongProgress) {
        self.finished.set(progress.finished.duration(progress.rate));
        let known = progress.total.unwrap_or(progress.decoded).max(progress.finished);
        self.bar.set_length(known.0);
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

    /// Prints a line above the bar.
    pub(super) fn print(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
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

/// A duration as on a clock.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_on_a_clock() {
        let texts = [0, 59, 61, 3600, 36_061].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(texts, ["0:00", "0:59", "1:01", "1:00:00", "10:01:01"]);
    }
}
