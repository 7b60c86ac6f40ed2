//! Distributes work over threads.

use std::panic::resume_unwind;
use std::thread;

/// Runs `work` for each of `shares` and returns the results in order. The first share runs on this thread, each other one on
/// a thread of its own.
///
/// A panic is propagated once all threads have ended.
pub(super) fn in_parallel<T: Send, A: Send>(
    shares: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> A + Sync,
) -> Vec<A> {
    let mut shares = shares.into_iter();
    let Some(first) = shares.next() else { return Vec::new() };
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
        let mut answers = vec![work(first)];
        for other in others {
            answers.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        answers
    })
}
