//! How far a song is: a bar with the real-time factor and the time left.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::audio::{Frames, Hertz};

/// The bar of one song, on standard error where that is a terminal.
pub(super) struct Display {
    bar: ProgressBar,
    begun: Instant,
    finished: std::cell::Cell<Duration>,
}

/// How far a song is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) finished: Frames,
    /// Known when the song has been decoded to its end.
    pub(super) total: Option<Frames>,
    pub(super) decoded: Frames,
    pub(super) rate: Hertz,
    /// Position in the server's queue; 0 if it is not queued.
    pub(super) queued: u32,
}

impl Display {
    /// A bar for a song of this name.
    pub(super) fn new(name: &str) -> Display {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{prefix} [{bar:32}] {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        Display { bar, begun: Instant::now(), finished: std::cell::Cell::default() }
    }

    /// Shows how far it is.
    pub(super) fn show(&self, shown: Shown) {
        self.finished.set(shown.finished.duration(shown.rate));
        let known = shown.total.unwrap_or(shown.decoded).max(shown.finished);
        self.bar.set_length(known.0);
        self.bar.set_position(shown.finished.0);
        let left = known.saturating_sub(shown.finished).duration(shown.rate);
        let factor = self.factor();
        self.bar.set_message(if shown.queued > 0 {
            format!("{} before it in the queue", shown.queued)
        } else if factor > 0.0 {
            let more = if shown.total.is_some() { "" } else { "+" };
            let left = clock(left.div_f64(factor));
            format!("{factor:.1}× real time, {left}{more} left")
        } else {
            "beginning".to_owned()
        });
    }

    /// Says something beside the bar.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Ends the bar; answers what it came to.
    pub(super) fn finish(&self) -> String {
        self.bar.finish_and_clear();
        let (audio, taken) = (self.finished.get(), self.begun.elapsed());
        format!("{} in {:.1} s, {:.1}× real time", clock(audio), taken.as_secs_f64(), self.factor())
    }

    /// Seconds of audio in a second.
    fn factor(&self) -> f64 {
        self.finished.get().as_secs_f64() / self.begun.elapsed().as_secs_f64().max(1e-3)
    }
}

/// What is said when another engine takes over at `frame`.
pub(super) fn change_text(message: &str, frame: Frames, rate: Hertz) -> String {
    format!("note: from {} on another engine: {message}", clock(frame.duration(rate)))
}

/// Minutes and seconds.
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
    fn times_are_read_as_on_a_clock() {
        let texts = [0, 59, 61, 3600, 36_061].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(texts, ["0:00", "0:59", "1:01", "1:00:00", "10:01:01"]);
    }
}
