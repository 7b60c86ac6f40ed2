//! A running candidate: what its process must send, in which order and time.

use std::process::Command;
use std::time::Duration;

use super::candidate_process::{CandidateMessage, CandidateProcess};

/// Time limits of a candidate, the same as those of an engine in the pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunLimits {
    /// For loading. OpenVINO and CUDA prepare a graph for seconds, on a busy machine for minutes.
    pub(super) load: Duration,
    /// For one segment.
    pub(super) segment: Duration,
}

/// A candidate whose process has separated the fixed segment and can repeat it.
pub(super) struct CandidateRun {
    process: CandidateProcess,
    pub(super) limit: Duration,
    /// The stems, one plane after the other.
    pub(super) stems: Vec<f32>,
}

impl CandidateRun {
    /// Starts the process and waits until it has separated the fixed segment.
    ///
    /// # Errors
    /// The reason of the failure, in words.
    pub(super) fn start(command: &mut Command, limits: RunLimits) -> Result<CandidateRun, String> {
        let mut process =
            CandidateProcess::start(command).map_err(|e| format!("it does not start: {e}"))?;
        let CandidateMessage::Loaded = process.receive("load", limits.load)? else {
            return Err(out_of_turn());
        };
        match process.receive("answer", limits.segment)? {
            CandidateMessage::Ready(stems) => {
                Ok(CandidateRun { process, limit: limits.segment, stems })
            }
            _ => Err(out_of_turn()),
        }
    }

    /// Separates the fixed segment again and returns the time it took.
    ///
    /// # Errors
    /// The reason of the failure, in words. Must not be called again after a failure: a late answer would be taken for
    /// the next one.
    pub(super) fn repeat(&mut self) -> Result<Duration, String> {
        self.process.request();
        match self.process.receive("answer", self.limit)? {
            CandidateMessage::Took(time) => Ok(time),
            _ => Err(out_of_turn()),
        }
    }
}

fn out_of_turn() -> String {
    "it answered out of turn".to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Stdio;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(50);

    /// `say` in a script writes a line of the protocol.
    fn shell_within(limits: RunLimits, script: &str) -> Result<CandidateRun, String> {
        let say = r#"say() { printf '\nstemwire-autotune %s\n' "$*"; }; "#;
        CandidateRun::start(Command::new("sh").args(["-c", &format!("{say}{script}")]), limits)
    }

    fn shell(script: &str) -> Result<CandidateRun, String> {
        shell_within(RunLimits { load: LONG, segment: LONG }, script)
    }

    #[test]
    fn messages_among_other_output_are_read() {
        let script = "echo failed to greet; say loaded; printf unfinished; \
                      say ready 8; printf '\\0\\0\\200\\77\\0\\0\\0\\300'; echo took note of it; \
                      read line; say took 1500; read line; say failed no more; read line";
        let mut run = shell(script).unwrap();
        assert_eq!(run.stems, [1.0, -2.0]);
        assert_eq!(run.repeat(), Ok(Duration::from_nanos(1500)));
        assert_eq!(run.repeat(), Err("no more".to_owned()));
    }

    #[test]
    fn a_candidate_that_fails_or_crashes_is_reported() {
        assert_eq!(shell("say failed no such device").err().unwrap(), "no such device");
        assert!(shell("kill -SEGV $$").err().unwrap().contains("signal: 11"));
        let broken_off = shell("say loaded; say ready 8; printf 1234").err().unwrap();
        assert!(broken_off.contains("exit status: 0"), "{broken_off}");
        assert_eq!(shell("say took 5").err().unwrap(), out_of_turn());
        assert!(shell("exit 3").err().unwrap().contains("exit status: 3"));
        let limits = RunLimits { load: LONG, segment: LONG };
        let missing = CandidateRun::start(&mut Command::new("/no/such/program"), limits);
        assert!(missing.err().unwrap().contains("does not start"));
    }

    #[test]
    fn the_last_line_of_its_standard_error_is_reported() {
        let crash = shell("echo warming up >&2; echo ' no device' >&2; kill -SEGV $$");
        let crash = crash.err().unwrap();
        assert!(crash.contains("signal: 11") && crash.ends_with(": no device"), "{crash}");
        // More than a pipe takes.
        let much = shell("yes | head -c 1000000 >&2; echo >&2; echo enough >&2; exit 3");
        assert_eq!(much.err().unwrap(), "its process ended with exit status: 3: enough");
    }

    #[test]
    fn a_candidate_with_invalid_output_is_killed() {
        let error = shell("say loaded; say ready soon; read line").err().unwrap();
        assert_eq!(error, "its process wrote \"ready soon\", which is no message");
        let closed = shell("say loaded; exec >&-; read line; exit 4").err().unwrap();
        assert_eq!(closed, "its process ended with exit status: 4", "the end of its input ends it");
        let stuck = shell("say loaded; exec sleep 600 >&-").err().unwrap();
        assert_eq!(stuck, "its process closed its output and did not end");
        // What it has started holds its pipes.
        let left =
            shell_within(RunLimits { load: LONG, segment: SHORT }, "say loaded; sleep 20; :");
        assert_eq!(left.err().unwrap(), "it did not answer within 0.05 s");
    }

    #[test]
    fn one_that_hangs_is_ended_when_its_time_is_over() {
        let error = |limits, script| shell_within(limits, script).err().unwrap();
        let loads = error(RunLimits { load: SHORT, segment: LONG }, "exec sleep 600");
        assert_eq!(loads, "it did not load within 0.05 s");
        let limits = RunLimits { load: LONG, segment: SHORT };
        assert_eq!(error(limits, "say loaded; exec sleep 600"), "it did not answer within 0.05 s");
        let mut run = shell("say loaded; say ready 0; read line; exec sleep 600").unwrap();
        run.limit = SHORT;
        assert_eq!(run.repeat(), Err("it did not answer within 0.05 s".to_owned()));
        let process = run.process.id().to_string();
        drop(run);
        let found = Command::new("kill").args(["-0", &process]).stderr(Stdio::null()).status();
        assert!(!found.unwrap().success(), "it still runs");
    }
}
