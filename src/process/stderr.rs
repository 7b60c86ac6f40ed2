//! The beginning and the end of a child's standard error.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{GRACE, join_within_grace, poll};

/// Bytes kept of the end. The message of a crash is a line or two.
const TAIL_BYTES: usize = 4 << 10;

/// Bytes kept of the beginning: what a program reports of itself and of its input.
const HEAD_BYTES: usize = 16 << 10;

/// Reads a child's standard error in a thread, so that the pipe never fills, and keeps its beginning and its end. Dropping
/// it joins the thread.
#[derive(Default)]
pub(super) struct ChildStderr {
    kept: Arc<Mutex<Kept>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl ChildStderr {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub(super) fn follow(&mut self, stderr: impl Read + Send + 'static) -> io::Result<()> {
        let kept = Arc::clone(&self.kept);
        let thread = std::thread::Builder::new().name("child-stderr".into());
        self.thread = Some(thread.spawn(move || keep(stderr, &kept))?);
        Ok(())
    }

    /// The end of the child's standard error, once the child has closed it. Where another process holds it open for
    /// longer than [`GRACE`], what has been read so far.
    pub(super) fn read(&self) -> Vec<u8> {
        if let Some(thread) = &self.thread {
            poll(GRACE, || thread.is_finished().then_some(()));
        }
        lock(&self.kept).tail.clone()
    }

    /// The beginning of it, as far as it has been written.
    pub(super) fn head(&self) -> Vec<u8> {
        lock(&self.kept).head.clone()
    }
}

impl Drop for ChildStderr {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            join_within_grace(thread);
        }
    }
}

fn keep(mut stderr: impl Read, kept: &Mutex<Kept>) {
    let mut block = [0; TAIL_BYTES];
    while let Ok(count @ 1..) = stderr.read(&mut block) {
        let mut kept = lock(kept);
        let missing = HEAD_BYTES - kept.head.len();
        kept.head.extend_from_slice(&block[..count.min(missing)]);
        kept.tail.extend_from_slice(&block[..count]);
        let surplus = kept.tail.len().saturating_sub(TAIL_BYTES);
        kept.tail.drain(..surplus);
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_and_the_end_are_kept() {
        let text = [b"begin\n", &[b'a'; HEAD_BYTES][..], b"\nend\n"].concat();
        let mut stderr = ChildStderr::default();
        stderr.follow(io::Cursor::new(text)).unwrap();
        let tail = stderr.read();
        assert!(tail.len() == TAIL_BYTES && tail.ends_with(b"a\nend\n"));
        let head = stderr.head();
        assert!(head.len() == HEAD_BYTES && head.starts_with(b"begin\na"));
    }
}
