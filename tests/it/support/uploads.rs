//! Uploads that arrive in different ways.

use std::io::{self, Cursor};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use stemwire::decode::{Complete, ReadAt};

use super::mutate::Random;

/// A complete upload.
pub fn complete(bytes: &[u8]) -> Box<dyn ReadAt> {
    Box::new(Complete(Cursor::new(bytes.to_vec())))
}

/// Read in pieces of 1 to `most` bytes.
pub struct Pieces {
    bytes: Vec<u8>,
    most: u64,
    random: Random,
}

impl Pieces {
    pub fn new(bytes: &[u8], most: u64) -> Box<Pieces> {
        Box::new(Pieces { bytes: bytes.to_vec(), most, random: Random(most) })
    }
}

impl ReadAt for Pieces {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let count = 1 + self.random.below(self.most) as usize;
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let count = count.min(rest.len()).min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Some bytes, followed by many repetitions of others.
pub struct Repeating {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    pub times: u64,
}

impl ReadAt for Repeating {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let (head, body) = (self.head.len() as u64, self.body.len() as u64);
        let rest = match offset.checked_sub(head) {
            None => &self.head[offset as usize..],
            Some(behind) if behind < body * self.times => &self.body[(behind % body) as usize..],
            Some(_) => &[],
        };
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// An upload that grows while it is read.
#[derive(Clone, Default)]
pub struct Growing(Arc<(Mutex<Grown>, Condvar)>);

#[derive(Default)]
struct Grown {
    bytes: Vec<u8>,
    is_complete: bool,
    /// The highest offset that a reader waited for.
    wanted: usize,
}

impl Growing {
    /// Adds bytes.
    pub fn push(&self, bytes: &[u8]) {
        self.0.0.lock().unwrap().bytes.extend_from_slice(bytes);
        self.0.1.notify_all();
    }

    /// Completes the upload.
    pub fn finish(&self) {
        self.0.0.lock().unwrap().is_complete = true;
        self.0.1.notify_all();
    }

    /// Waits until the reader waits for more bytes.
    pub fn wait_until_starved(&self) {
        let mut grown = self.0.0.lock().unwrap();
        while grown.wanted < grown.bytes.len() {
            let (next, timeout) = self.0.1.wait_timeout(grown, Duration::from_secs(60)).unwrap();
            assert!(!timeout.timed_out(), "the reader has stopped");
            grown = next;
        }
    }
}

impl ReadAt for Growing {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut grown = self.0.0.lock().unwrap();
        loop {
            let rest = grown.bytes.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(into.len());
            if count > 0 || grown.is_complete {
                into[..count].copy_from_slice(&rest[..count]);
                return Ok(count);
            }
            grown.wanted = offset as usize;
            self.0.1.notify_all();
            grown = self.0.1.wait(grown).unwrap();
        }
    }
}
