//! Panics of codecs: caught, and not printed.
//!
//! The default hook prints every panic, with a backtrace where one is wanted. A broken upload makes
//! a codec panic on each of its packets, and decoding runs in a process whose standard error nobody
//! empties before it ends: once that pipe is full, printing would wait for ever.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// This thread is in a codec.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Calls a codec; `None` if it panics, whose state may then be anything.
pub(super) fn guard<T>(codec: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    // Panics of all other code are printed as before.
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                print(info);
            }
        }));
    });
    let before = IS_GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(codec));
    IS_GUARDED.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_codec_is_caught() {
        assert_eq!(guard(|| 1), Some(1));
        let codec = || -> u32 { panic!("of a codec") };
        assert_eq!(guard(codec), None);
        assert!(!IS_GUARDED.get());
    }
}
