//! Inference goes first.
//!
//! A decoder runs ahead of the engines, as far as the upload goes. At their rank it takes one core of two from them
//! until all is decoded, and every step of theirs waits for the thread that shares that core. At a lower rank it
//! takes what they leave; where they wait for it, they leave everything.

/// How far behind; see `nice(1)`. The system weighs this rank against the usual one as one to nine.
#[cfg(unix)]
const NICE: i32 = 10;

/// Puts this process behind the engines.
pub(super) fn lower_process() {
    // Where it does not work all is right, and somewhat later.
    #[cfg(unix)]
    let _ = rustix::process::nice(NICE);
}

/// Puts this thread behind the engines, where the system ranks threads by themselves.
pub(super) fn lower_thread() {
    // The same.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}
