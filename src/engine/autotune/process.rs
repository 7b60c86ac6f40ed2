//! A candidate's process, as its parent has it: what it says, and how it ends.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::child::MARK;

/// The most that is believed of the size of all stems: 64 stems of the longest segment that is used.
const MOST_BYTES: usize = 1 << 30;

/// The most that is read of a line at once, bytes. Those of the protocol are shorter.
const MOST_LINE: u64 = 64 << 10;

/// What is kept of the end of its standard error, bytes.
const TAIL: usize = 2 << 10;

/// The most of a last line that is told, characters.
const WORDS: usize = 300;

/// What a process may take to end that has no input any more, or was killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A process that is ended with this.
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    said: Pipe<Said>,
    /// The end of its standard error, once that is closed.
    complaint: Pipe<Vec<u8>>,
}

/// What it says.
#[derive(Debug)]
pub(super) enum Said {
    /// It has the model.
    Loaded,
    /// It has separated for the first time; the samples, one plane after the other.
    Ready(Vec<f32>),
    /// It has separated again.
    Took(Duration),
    /// It cannot.
    Failed(String),
}

impl Process {
    pub(super) fn start(command: &mut Command) -> io::Result<Process> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let said = Pipe::read(child.stdout.take(), listen);
        let complaint = Pipe::read(child.stderr.take(), keep_end);
        match (said, complaint) {
            (Ok(said), Ok(complaint)) => Ok(Process { child, input, said, complaint }),
            (Err(error), _) | (_, Err(error)) => {
                // Nobody has heard it, so nobody misses it.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Tells it to separate once more.
    pub(super) fn tell(&mut self) {
        if let Some(input) = &mut self.input {
            // Where it has gone, that is heard.
            let _ = input.write_all(b"run\n").and_then(|()| input.flush());
        }
    }

    /// What it says next, which it has to within `limit`: that it has done `what`.
    ///
    /// # Errors
    /// In words, why it says nothing of use. It is not to be heard again: what comes late is no answer.
    pub(super) fn hear(&mut self, what: &str, limit: Duration) -> Result<Said, String> {
        match self.said.words.recv_timeout(limit) {
            Ok(Said::Failed(reason)) => Err(reason),
            Ok(said) => Ok(said),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("it did not {what} within {} s", limit.as_secs_f32()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.end()),
        }
    }

    /// How a process ended that says no more, with its last words. One that lives on is killed.
    fn end(&mut self) -> String {
        self.input = None;
        let how = match self.ended() {
            Ok(Some(status)) => format!("its process ended with {status}"),
            Ok(None) => {
                // It may end at this moment.
                let _ = self.child.kill();
                "its process closed its output and did not end".to_owned()
            }
            Err(error) => format!("its process is lost: {error}"),
        };
        match self.complaint.words.recv_timeout(PATIENCE).ok().and_then(|tail| last_words(&tail)) {
            Some(words) => format!("{how}: {words}"),
            None => how,
        }
    }

    /// How it has ended, if it does soon.
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || begun.elapsed() > PATIENCE {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        // A driver that hangs keeps even a process that was killed: it is left behind, and who reads its pipes, too.
        if let Ok(Some(_)) = self.ended() {
            self.said.close();
            self.complaint.close();
        }
    }
}

/// A thread that reads one of the process's pipes until that is closed.
struct Pipe<T> {
    words: Receiver<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Pipe<T> {
    fn read<S: Read + Send + 'static>(
        source: Option<S>,
        reader: fn(S, &SyncSender<T>),
    ) -> io::Result<Pipe<T>> {
        let (sender, words) = sync_channel(1);
        let start = |source| {
            let thread = std::thread::Builder::new().name("trial".into());
            thread.spawn(move || reader(source, &sender))
        };
        Ok(Pipe { words, thread: source.map(start).transpose()? })
    }

    /// Joins the thread, unless something that the process has started holds the pipe open.
    fn close(&mut self) {
        let end = loop {
            match self.words.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(end) => break end,
            }
        };
        if end == RecvTimeoutError::Disconnected
            && let Some(thread) = self.thread.take()
        {
            // Its panic would have been printed.
            let _ = thread.join();
        }
    }
}

/// Hears what a process says.
fn listen(output: impl Read, sender: &SyncSender<Said>) {
    let mut output = BufReader::new(output);
    while let Some(said) = next(&mut output) {
        if sender.send(said).is_err() {
            return;
        }
    }
}

/// What is said next; nothing at the end.
fn next(output: &mut impl BufRead) -> Option<Said> {
    let mut line = Vec::new();
    let text = loop {
        line.clear();
        if output.by_ref().take(MOST_LINE).read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if let Some(text) = line.strip_prefix(MARK.as_bytes()) {
            break String::from_utf8_lossy(text);
        }
    };
    let text = text.trim_end();
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let number = rest.parse::<u64>();
    Some(match (word, number) {
        ("loaded", _) => Said::Loaded,
        ("ready", Ok(count)) if count <= MOST_BYTES as u64 => {
            Said::Ready(stems(output, count as usize)?)
        }
        ("took", Ok(nanoseconds)) => Said::Took(Duration::from_nanos(nanoseconds)),
        ("failed", _) => Said::Failed(rest.to_owned()),
        _ => Said::Failed(format!("it said {text:?}, which is no answer")),
    })
}

fn stems(output: &mut impl Read, count: usize) -> Option<Vec<f32>> {
    let mut bytes = vec![0; count];
    output.read_exact(&mut bytes).ok()?;
    let sample = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Some(bytes.chunks_exact(4).map(sample).collect())
}

/// Reads all, so that nobody waits for room in the pipe, and hands over the end of it.
fn keep_end(mut source: impl Read, sender: &SyncSender<Vec<u8>>) {
    let (mut tail, mut block) = (Vec::new(), [0; TAIL]);
    while let Ok(count @ 1..) = source.read(&mut block) {
        tail.extend_from_slice(&block[..count]);
        tail.drain(..tail.len().saturating_sub(TAIL));
    }
    // Whoever was to hear it has gone.
    let _ = sender.send(tail);
}

/// The last line that says something.
fn last_words(tail: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(tail);
    // Rust's own advice on backtraces follows what a panic says.
    let says = |line: &&str| !line.is_empty() && !line.starts_with("note: ");
    let line = text.lines().map(str::trim).rfind(says)?;
    Some(line.chars().filter(|c| !c.is_control()).take(WORDS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_lines_are_the_protocols() {
        let mut text = format!(
            "took note of a cache\nfailed to find one\nready 4\nunfinished\n{MARK}loaded\nloaded x"
        )
        .into_bytes();
        text.extend(vec![b'x'; 3 * MOST_LINE as usize]);
        text.extend(format!("\n\n{MARK}took 7\r\n{MARK}ready 4\n").into_bytes());
        text.extend(1.5f32.to_le_bytes());
        text.extend(format!("{MARK}took long\n{MARK}ready {}\n", MOST_BYTES + 1).into_bytes());
        let mut output = &text[..];
        assert!(matches!(next(&mut output), Some(Said::Loaded)));
        assert!(matches!(next(&mut output), Some(Said::Took(time)) if time.as_nanos() == 7));
        assert!(matches!(next(&mut output), Some(Said::Ready(stems)) if stems == [1.5]));
        for word in ["took long", "ready 1073741825"] {
            let said = next(&mut output);
            assert!(
                matches!(&said, Some(Said::Failed(reason)) if reason.contains(word)),
                "{said:?}"
            );
        }
        assert!(next(&mut output).is_none());
    }

    #[test]
    fn the_last_line_that_says_something_is_kept() {
        let words = |text: &str| last_words(text.as_bytes());
        assert_eq!(
            words("first\n  what():  no device \n\n"),
            Some("what():  no device".to_owned())
        );
        let panic =
            "thread 'main' panicked at x.rs:1:\nout of luck\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(words(panic), Some("out of luck".to_owned()));
        assert_eq!(words("\x1b[31mred\x07\n"), Some("[31mred".to_owned()));
        assert_eq!(words("x".repeat(999).as_str()).unwrap().len(), WORDS);
        assert_eq!(words(" \n\n"), None);
        let (sender, kept) = sync_channel(1);
        keep_end(&[&[b'a'; 5 * TAIL][..], &b"\nend\n"[..]].concat()[..], &sender);
        let tail = kept.recv().unwrap();
        assert!(tail.len() == TAIL && tail.ends_with(b"a\nend\n"));
    }
}
