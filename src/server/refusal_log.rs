//! Log lines about refused calls, limited so that a flood of calls cannot fill the log.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines for one reason in a window of time.
const LINES: u32 = 20;

/// Length of a window.
const WINDOW: Duration = Duration::from_secs(10);

static LOG: LazyLock<RefusalLog> = LazyLock::new(RefusalLog::default);

/// Logs that a call is refused for this reason. The current span names the call and its client.
pub(super) fn note(reason: &str) {
    match LOG.admit(reason, Instant::now()) {
        Some(0) => tracing::info!(reason, "call refused"),
        Some(left_out) => tracing::info!(reason, left_out, "call refused; earlier ones left out"),
        None => {}
    }
}

/// Logs that a call could not be forwarded to another gateway.
pub(super) fn note_not_forwarded(gateway: &str, error: &dyn std::error::Error) {
    if let Some(left_out) = LOG.admit("not forwarded", Instant::now()) {
        tracing::warn!(gateway, %error, left_out, "call not forwarded");
    }
}

/// Counts lines by reason. Reasons are a closed set, so this does not grow.
#[derive(Debug, Default)]
struct RefusalLog(Mutex<HashMap<String, Window>>);

#[derive(Debug)]
struct Window {
    begun: Instant,
    lines: u32,
    left_out: u64,
}

impl RefusalLog {
    /// How many lines were left out before this one; `None` if it is left out itself.
    fn admit(&self, reason: &str, now: Instant) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = match windows.get_mut(reason) {
            Some(window) => window,
            None => windows.entry(reason.to_owned()).or_insert(Window {
                begun: now,
                lines: 0,
                left_out: 0,
            }),
        };
        if now.saturating_duration_since(window.begun) >= WINDOW {
            (window.begun, window.lines) = (now, 0);
        }
        if window.lines == LINES {
            window.left_out += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_limited_by_reason_and_time() {
        let (log, now) = (RefusalLog::default(), Instant::now());
        let admitted = (0..LINES + 5).filter(|_| log.admit("A", now).is_some()).count();
        assert_eq!(admitted, LINES as usize);
        assert_eq!(log.admit("B", now), Some(0));
        assert_eq!(log.admit("A", now + WINDOW), Some(5));
        assert_eq!(log.admit("A", now + WINDOW), Some(0));
    }
}
