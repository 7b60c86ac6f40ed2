//! A candidate's process, as its parent has it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What loading and the first segment may take: OpenVINO and CUDA prepare a graph for seconds, on a busy machine
/// for minutes.
const LOAD_LIMIT: Duration = Duration::from_secs(300);

/// What one segment may take; one that takes longer wins nothing.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// The most that is believed of the size of all stems: 64 stems of the longest segment that is used.
const MOST_BYTES: usize = 1 << 30;

/// A process that has separated the fixed segment and can do so again.
pub(super) struct Contestant {
    process: Process,
    /// The stems' samples, one plane after the other.
    pub(super) stems: Vec<f32>,
}

struct Process {
    child: Child,
    input: Option<ChildStdin>,
    said: Receiver<Said>,
    listener: Option<JoinHandle<()>>,
}

enum Said {
    Ready(Vec<f32>),
    Took(Duration),
    Failed(String),
}

impl Contestant {
    /// Starts a process and waits until it has separated the fixed segment.
    ///
    /// # Errors
    /// In words, why it has not.
    pub(super) fn start(command: &mut Command) -> Result<Contestant, String> {
        let mut process = Process::start(command).map_err(|e| format!("it does not start: {e}"))?;
        match process.hear(LOAD_LIMIT)? {
            Said::Ready(stems) => Ok(Contestant { process, stems }),
            Said::Took(_) => Err("it answered out of turn".into()),
            Said::Failed(reason) => Err(reason),
        }
    }

    /// Lets it separate the fixed segment once more; answers how long that took.
    ///
    /// # Errors
    /// In words, why it has not.
    pub(super) fn run(&mut self) -> Result<Duration, String> {
        let input = self.process.input.as_mut();
        let told = input.map_or(Ok(()), |input| input.write_all(b"run\n"));
        // Where it has gone, that is heard.
        let _ = told.and_then(|()| self.process.input.as_mut().map_or(Ok(()), Write::flush));
        match self.process.hear(RUN_LIMIT)? {
            Said::Took(time) => Ok(time),
            Said::Ready(_) => Err("it answered out of turn".into()),
            Said::Failed(reason) => Err(reason),
        }
    }
}

impl Process {
    fn start(command: &mut Command) -> io::Result<Process> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (sender, said) = sync_channel(1);
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let mut process = Process { child, input, said, listener: None };
        if let Some(output) = output {
            let thread = std::thread::Builder::new().name("trial".into());
            process.listener = Some(thread.spawn(move || listen(output, &sender))?);
        }
        Ok(process)
    }

    fn hear(&mut self, limit: Duration) -> Result<Said, String> {
        match self.said.recv_timeout(limit) {
            Ok(said) => Ok(said),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("it did not answer within {} s", limit.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(match self.child.wait() {
                Ok(status) => format!("its process ended with {status}"),
                Err(error) => format!("its process is lost: {error}"),
            }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The listener may be handing over what nobody hears any more.
        while self.said.recv_timeout(LOAD_LIMIT).is_ok() {}
        if let Some(listener) = self.listener.take() {
            // Its panic would have been printed.
            let _ = listener.join();
        }
    }
}

/// Hears what a process says until it ends or makes no sense.
fn listen(output: ChildStdout, sender: &SyncSender<Said>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let Some((word, rest)) = text.trim_end().split_once(' ') else { continue };
        let said = match word {
            "ready" => {
                let Some(stems) = rest.parse().ok().and_then(|count| stems(&mut output, count))
                else {
                    return;
                };
                Said::Ready(stems)
            }
            "took" => {
                let Ok(nanoseconds) = rest.parse() else { return };
                Said::Took(Duration::from_nanos(nanoseconds))
            }
            "failed" => Said::Failed(rest.to_owned()),
            _ => continue,
        };
        if sender.send(said).is_err() {
            return;
        }
    }
}

fn stems(output: &mut impl Read, count: usize) -> Option<Vec<f32>> {
    if count > MOST_BYTES {
        return None;
    }
    let mut bytes = vec![0; count];
    output.read_exact(&mut bytes).ok()?;
    let sample = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Some(bytes.chunks_exact(4).map(sample).collect())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Contestant, String> {
        Contestant::start(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn what_it_says_is_heard() {
        let script = "echo a library greets; printf 'ready 8\\n\\0\\0\\200\\77\\0\\0\\0\\300'; \
                      read line; echo took 1500; read line; echo failed no more; read line";
        let mut contestant = shell(script).unwrap();
        assert_eq!(contestant.stems, [1.0, -2.0]);
        assert_eq!(contestant.run(), Ok(Duration::from_nanos(1500)));
        assert_eq!(contestant.run(), Err("no more".to_owned()));
    }

    #[test]
    fn one_that_fails_or_dies_is_told() {
        assert_eq!(shell("echo failed no such device").err().unwrap(), "no such device");
        assert!(shell("kill -SEGV $$").err().unwrap().contains("signal: 11"));
        assert!(shell("echo ready 8; printf 1234").err().unwrap().contains("exit status: 0"));
        assert!(shell("exit 3").err().unwrap().contains("exit status: 3"));
        let missing = Contestant::start(&mut Command::new("/no/such/program"));
        assert!(missing.err().unwrap().contains("does not start"));
    }
}
