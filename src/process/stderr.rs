//! The end of a child's standard error.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{GRACE, join_within_grace, poll};

/// Bytes kept of the end. The message of a crash is a line or two.
const TAIL_BYTES: usize = 4 << 10;

/// Reads a child's standard error in a thread, so that the pipe never fills, and keeps its end. Dropping it joins the
/// thread.
#[derive(Default)]
pub(super) struct StderrTail {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl StderrTail {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub(super) fn follow(&mut self, stderr: impl Read + Send + 'static) -> io::Result<()> {
        let bytes = Arc::clone(&self.bytes);
        let thread = std::thread::Builder::new().name("child-stderr".into());
        self.thread = Some(thread.spawn(move || keep_tail(stderr, &bytes))?);
        Ok(())
    }

    /// The end of the child's standard error, once the child has closed it. Where another process holds it open for
    /// longer than [`GRACE`], what has been read so far.
    pub(super) fn read(&self) -> Vec<u8> {
        if let Some(thread) = &self.thread {
            poll(GRACE, || thread.is_finished().then_some(()));
        }
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for StderrTail {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            join_within_grace(thread);
        }
    }
}

fn keep_tail(mut stderr: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut block = [0; TAIL_BYTES];
    while let Ok(count @ 1..) = stderr.read(&mut block) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&block[..count]);
        let surplus = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let text = [&[b'a'; 5 * TAIL_BYTES][..], b"\nend\n"].concat();
        let mut tail = StderrTail::default();
        tail.follow(io::Cursor::new(text)).unwrap();
        let tail = tail.read();
        assert!(tail.len() == TAIL_BYTES && tail.ends_with(b"a\nend\n"));
    }
}
