//! Catches panics of codecs without printing them.
//!
//! The default hook prints every panic, with a backtrace if requested. A broken upload can make a
//! codec panic on each of its packets, and decoding runs in a process whose standard error is read
//! only after it has ended: once that pipe is full, printing would block forever.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// This thread is inside a codec.
    static IN_CODEC: Cell<bool> = const { Cell::new(false) };
}

/// Calls a codec. `None` if it panics; its state is then undefined and it must be replaced.
///
/// The first call installs a panic hook for the process, which prints the panics of all other code
/// as before.
pub(super) fn catch_panic<T>(codec: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IN_CODEC.get() {
                print(info);
            }
        }));
    });
    let before = IN_CODEC.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(codec));
    IN_CODEC.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_panic_is_caught() {
        assert_eq!(catch_panic(|| 1), Some(1));
        let codec = || -> u32 { panic!("of a codec") };
        assert_eq!(catch_panic(codec), None);
        assert!(!IN_CODEC.get());
    }
}
