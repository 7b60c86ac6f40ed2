//! The limit of the size of files that this process writes (`ulimit -f`).

/// Makes a write beyond the limit fail with EFBIG. By default the system ends the process with SIGXFSZ.
#[cfg(unix)]
pub(crate) fn fail_writes_beyond_limit() {
    use rustix::process::Signal;
    use std::sync::atomic::AtomicBool;

    // A signal with a handler does not end the process; what the handler does is of no interest.
    static HANDLED: AtomicBool = AtomicBool::new(false);
    // Without a handler the limit ends the process as before.
    let _ = signal_hook::flag::register(Signal::XFSZ.as_raw(), &HANDLED);
}

/// Does nothing: this system has no such limit.
#[cfg(not(unix))]
pub(crate) fn fail_writes_beyond_limit() {}
