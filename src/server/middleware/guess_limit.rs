//! Limits wrong tokens, by client.
//!
//! Clients behind one proxy or NAT share an address. So a right token is always accepted, and only wrong ones count: one
//! client's guesses never lock another one out. The limit does not slow down guessing; it makes clients with an outdated
//! token wait, and reports an attack once instead of a thousand times a second. What prevents guessing is the length of
//! tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::server::connections::Client;

/// The time after which wrong tokens are forgotten.
const WINDOW: Duration = Duration::from_secs(60);

/// Limit of clients that are counted one by one. Further ones share a count until the window ends.
const MAX_CLIENTS: usize = 4096;

/// Counts wrong tokens.
pub(super) struct GuessLimit {
    per_window: u32,
    window: Mutex<GuessWindow>,
}

struct GuessWindow {
    begun: Instant,
    counts: HashMap<Option<Client>, u32>,
}

/// A wrong token beyond the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// Whether it is the client's first in this window.
    pub(super) is_first: bool,
    /// Time until the window ends, in whole seconds.
    pub(super) retry: Duration,
}

impl GuessLimit {
    /// Allows each client `per_window` wrong tokens a minute.
    pub(super) fn new(per_window: u32) -> GuessLimit {
        let window = GuessWindow { begun: Instant::now(), counts: HashMap::new() };
        GuessLimit { per_window, window: Mutex::new(window) }
    }

    /// The limit, in wrong tokens per minute.
    pub(super) fn per_window(&self) -> u32 {
        self.per_window
    }

    /// Counts a wrong token.
    ///
    /// # Errors
    /// [`Excess`] if it is beyond the limit.
    pub(super) fn count(&self, client: Client, now: Instant) -> Result<(), Excess> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        // A window begins with its first wrong token.
        if window.counts.is_empty() || now.saturating_duration_since(window.begun) >= WINDOW {
            *window = GuessWindow { begun: now, counts: HashMap::new() };
        }
        let is_counted = window.counts.contains_key(&Some(client));
        let key = (is_counted || window.counts.len() < MAX_CLIENTS).then_some(client);
        let count = window.counts.entry(key).or_default();
        *count = count.saturating_add(1);
        if *count <= self.per_window {
            return Ok(());
        }
        let is_first = *count == self.per_window.saturating_add(1);
        let left = WINDOW.saturating_sub(now.saturating_duration_since(window.begun));
        Err(Excess { is_first, retry: Duration::from_secs(left.as_secs() + 1) })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(number: u32) -> Client {
        Client::at(IpAddr::V4(Ipv4Addr::from(number)))
    }

    #[test]
    fn each_client_has_its_own_limit_for_a_minute() {
        let limit = GuessLimit::new(2);
        let now = Instant::now();
        let count =
            |number, seconds| limit.count(client(number), now + Duration::from_secs(seconds));
        assert!(count(1, 0).is_ok() && count(1, 1).is_ok());
        let excess = count(1, 2).unwrap_err();
        assert!(
            excess.is_first && excess.retry <= WINDOW && excess.retry > WINDOW / 2,
            "{excess:?}"
        );
        assert!(!count(1, 3).unwrap_err().is_first);
        assert!(count(2, 3).is_ok());
        assert!(count(1, 61).is_ok());
    }

    #[test]
    fn networks_of_64_bits_are_one_client() {
        let limit = GuessLimit::new(1);
        let at = |address: &str| limit.count(Client::at(address.parse().unwrap()), Instant::now());
        assert!(
            at("2001:db8::1").is_ok()
                && at("2001:db8::2").is_err()
                && at("2001:db8:0:1::1").is_ok()
        );
    }

    #[test]
    fn memory_is_bounded_whatever_the_number_of_clients() {
        let limit = GuessLimit::new(1);
        let now = Instant::now();
        let most = u32::try_from(MAX_CLIENTS).unwrap();
        assert!((0..most).all(|number| limit.count(client(number), now).is_ok()));
        assert!(limit.count(client(most), now).is_ok());
        assert!(limit.count(client(most + 1), now).is_err(), "they share a count");
        assert_eq!(limit.window.lock().unwrap().counts.len(), MAX_CLIENTS + 1);
    }
}
