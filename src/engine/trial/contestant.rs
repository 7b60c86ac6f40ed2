//! A candidate's process, as its parent has it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most that is believed of the size of all stems: 64 stems of the longest segment that is used.
const MOST_BYTES: usize = 1 << 30;

/// What a process may take, as an engine in the service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// To be loaded. OpenVINO and CUDA prepare a graph for seconds, on a busy machine for minutes.
    pub(super) load: Duration,
    /// For one segment.
    pub(super) segment: Duration,
}

/// A process that has separated the fixed segment and can do so again.
pub(super) struct Contestant {
    process: Process,
    limit: Duration,
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
    Loaded,
    Ready(Vec<f32>),
    Took(Duration),
    Failed(String),
}

impl Contestant {
    /// Starts a process and waits until it has separated the fixed segment.
    ///
    /// # Errors
    /// In words, why it has not.
    pub(super) fn start(command: &mut Command, limits: Limits) -> Result<Contestant, String> {
        let mut process = Process::start(command).map_err(|e| format!("it does not start: {e}"))?;
        let Said::Loaded = process.hear("load", limits.load)? else { return Err(out_of_turn()) };
        match process.hear("answer", limits.segment)? {
            Said::Ready(stems) => Ok(Contestant { process, limit: limits.segment, stems }),
            _ => Err(out_of_turn()),
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
        match self.process.hear("answer", self.limit)? {
            Said::Took(time) => Ok(time),
            _ => Err(out_of_turn()),
        }
    }
}

fn out_of_turn() -> String {
    "it answered out of turn".to_owned()
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

    /// What it says next, which it has to within `limit`: that it has done `what`.
    fn hear(&mut self, what: &str, limit: Duration) -> Result<Said, String> {
        match self.said.recv_timeout(limit) {
            Ok(Said::Failed(reason)) => Err(reason),
            Ok(said) => Ok(said),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("it did not {what} within {} s", limit.as_secs_f32()))
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
        while self.said.recv().is_ok() {}
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
        let text = text.trim_end();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let said = match word {
            "loaded" => Said::Loaded,
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

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(50);

    fn shell_within(limits: Limits, script: &str) -> Result<Contestant, String> {
        Contestant::start(Command::new("sh").args(["-c", script]), limits)
    }

    fn shell(script: &str) -> Result<Contestant, String> {
        shell_within(Limits { load: LONG, segment: LONG }, script)
    }

    #[test]
    fn what_it_says_is_heard() {
        let script = "echo a library greets; echo loaded; printf 'ready 8\\n\\0\\0\\200\\77\\0\\0\\0\\300'; \
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
        let broken_off = shell("echo loaded; echo ready 8; printf 1234").err().unwrap();
        assert!(broken_off.contains("exit status: 0"), "{broken_off}");
        assert_eq!(shell("echo took 5").err().unwrap(), out_of_turn());
        assert!(shell("exit 3").err().unwrap().contains("exit status: 3"));
        let limits = Limits { load: LONG, segment: LONG };
        let missing = Contestant::start(&mut Command::new("/no/such/program"), limits);
        assert!(missing.err().unwrap().contains("does not start"));
    }

    #[test]
    fn one_that_hangs_is_ended_when_its_time_is_over() {
        let error = |limits, script| shell_within(limits, script).err().unwrap();
        let loads = error(Limits { load: SHORT, segment: LONG }, "exec sleep 600");
        assert_eq!(loads, "it did not load within 0.05 s");
        let limits = Limits { load: LONG, segment: SHORT };
        assert_eq!(error(limits, "echo loaded; exec sleep 600"), "it did not answer within 0.05 s");
        let mut contestant = shell("echo loaded; echo ready 0; read line; exec sleep 600").unwrap();
        contestant.limit = SHORT;
        assert_eq!(contestant.run(), Err("it did not answer within 0.05 s".to_owned()));
        let process = contestant.process.child.id().to_string();
        drop(contestant);
        let found = Command::new("kill").args(["-0", &process]).stderr(Stdio::null()).status();
        assert!(!found.unwrap().success(), "it goes on");
    }
}
