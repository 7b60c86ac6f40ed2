//! Scheduling priority below that of inference.
//!
//! A decoder works ahead of the engines as far as the upload goes. At normal priority it takes one core of two from
//! them until the upload is decoded, and every step of theirs waits for the thread that shares that core. At a lower
//! priority it uses the time that they leave; when they wait for it, they leave all of it.

/// The nice value, see `nice(1)`. The system weighs it against the normal 0 as one to nine.
#[cfg(unix)]
const NICE: i32 = 10;

/// Lowers the priority of this process.
pub(crate) fn lower_process() {
    // Without effect the results are the same, later.
    #[cfg(unix)]
    let _ = rustix::process::nice(NICE);
}

/// Lowers the priority of this thread, on systems that schedule threads by themselves.
pub(crate) fn lower_thread() {
    // As above.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}
