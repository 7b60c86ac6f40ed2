//! What a confined process can do, tried from inside: each attempt in a process of its own, under each part of the sandbox
//! alone and under all of it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio, exit};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{Pid, Signal, getppid, test_kill_process};

use super::{enter, landlock, seccomp};

/// Set in a process that makes an attempt: the part, the attempt's name, the folder and the port, separated by bars.
const VARIABLE: &str = "STEMWIRE_TEST_ATTEMPT";

/// The exit codes of a process that made an attempt.
const DONE: i32 = 10;
const REFUSED: i32 = 11;
const LACKING: i32 = 12;

const PARTS: [&str; 3] = ["Landlock", "seccomp", "all"];

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// It fails with EPERM or EACCES.
    Refused,
    /// It ends the process with SIGSYS.
    Killed,
    /// It ends the process with SIGABRT.
    Aborted,
}
use Outcome::{Aborted, Done, Killed, Refused};

/// An attempt, and its outcome under each of [`PARTS`].
type Attempt = (&'static str, fn(&Targets) -> io::Result<()>, [Outcome; 3]);

/// What attempts are made on.
struct Targets {
    /// A folder with a file named `file`.
    folder: PathBuf,
    /// The port of a server.
    port: u16,
    parent: Pid,
}

impl Targets {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

const ATTEMPTS: &[Attempt] = &[
    // Files.
    ("read a file", |at| File::open(at.path("file")).map(drop), [Refused; 3]),
    ("create a file", |at| File::create(at.path("new")).map(drop), [Refused; 3]),
    ("truncate a file", |at| truncate(&at.path("file")), [Refused; 3]),
    ("delete a file", |at| fs::remove_file(at.path("file")), [Refused; 3]),
    ("rename a file", |at| fs::rename(at.path("file"), at.path("b")), [Refused; 3]),
    ("create a folder", |at| fs::create_dir(at.path("sub")), [Refused; 3]),
    ("list a folder", |at| fs::read_dir(&at.folder).map(drop), [Refused; 3]),
    ("link to a file", |at| std::os::unix::fs::symlink("/", at.path("l")), [Refused; 3]),
    ("see the size of a file", |at| fs::metadata(at.path("file")).map(drop), SECCOMP),
    ("change its folder", |_| env::set_current_dir("/"), SECCOMP),
    ("read the parent's environment", |at| File::open(environment(at)).map(drop), [Refused; 3]),
    // The network.
    ("connect to a server", |at| connect(at), [Refused, Killed, Killed]),
    ("listen", |_| TcpListener::bind("127.0.0.1:0").map(drop), [Refused, Killed, Killed]),
    ("open a UDP socket", |_| UdpSocket::bind("127.0.0.1:0").map(drop), [Done, Killed, Killed]),
    ("open a pair of sockets", |_| UnixStream::pair().map(drop), [Done, Killed, Killed]),
    // Processes.
    ("run a program", |_| Command::new("/bin/true").status().map(drop), [Refused, Killed, Killed]),
    ("start a thread", |_| start_thread(), [Done, Killed, Killed]),
    ("signal its parent", |at| signal_parent(at), [Refused, Killed, Killed]),
    ("raise its priority", |_| Ok(rustix::process::nice(-1).map(drop)?), SECCOMP),
    ("change a limit", |_| change_limit(), SECCOMP),
    // What decoding needs.
    ("compute", |_| compute(), [Done; 3]),
    ("abort", |_| std::process::abort(), [Aborted; 3]),
];

/// Outcomes of what seccomp alone refuses.
const SECCOMP: [Outcome; 3] = [Done, Refused, Refused];

fn truncate(file: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).truncate(true).open(file).map(drop)
}

fn environment(at: &Targets) -> PathBuf {
    format!("/proc/{}/environ", at.parent.as_raw_nonzero()).into()
}

fn connect(at: &Targets) -> io::Result<()> {
    TcpStream::connect(("127.0.0.1", at.port)).map(drop)
}

fn start_thread() -> io::Result<()> {
    thread::Builder::new().spawn(|| {})?.join().unwrap();
    Ok(())
}

fn signal_parent(at: &Targets) -> io::Result<()> {
    Ok(test_kill_process(at.parent)?)
}

fn change_limit() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// Allocates, hashes, sleeps, takes the time, panics and catches that, reads and writes what it has open.
fn compute() -> io::Result<()> {
    let mut numbers = vec![1_u8; 64 << 20];
    numbers.extend_from_slice(&[2; 64 << 20]);
    let map: HashMap<_, _> = numbers.iter().step_by(1 << 20).enumerate().collect();
    assert_eq!(map.len(), 128);
    let begun = Instant::now();
    thread::sleep(Duration::from_millis(2));
    assert!(begun.elapsed() >= Duration::from_millis(2));
    assert!(std::panic::catch_unwind(|| panic!("caught")).is_err());
    io::stdin().read_to_end(&mut numbers)?;
    io::stdout().write_all(b"written")
}

/// Confines the process by one of [`PARTS`]. Returns whether this system has it.
fn confine(part: &str) -> bool {
    match part {
        "Landlock" => landlock::deny_all().unwrap(),
        "seccomp" => seccomp::restrict().unwrap(),
        _ => enter().unwrap().missing().is_none(),
    }
}

/// The process that makes an attempt. It ends without the test harness, which is confined as well.
fn attempt(asked: &str) -> ! {
    let [part, name, folder, port] = *asked.split('|').collect::<Vec<_>>() else { exit(1) };
    let (_, action, _) = ATTEMPTS.iter().find(|attempt| attempt.0 == name).expect("an attempt");
    let parent = getppid().expect("a parent");
    let at = Targets { folder: folder.into(), port: port.parse().unwrap(), parent };
    if !confine(part) {
        exit(LACKING);
    }
    exit(match action(&at) {
        Ok(()) => DONE,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => REFUSED,
        Err(error) => panic!("{name}: {error}"),
    })
}

/// Makes an attempt in a process of its own.
fn run(part: &str, name: &str, folder: &Path, port: u16) -> (ExitStatus, String) {
    let test = "process::sandbox::tests::a_confined_process_can_compute_and_nothing_else";
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, format!("{part}|{name}|{}|{port}", folder.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_confined_process_can_compute_and_nothing_else() {
    if let Ok(asked) = env::var(VARIABLE) {
        attempt(&asked);
    }
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    for &(name, _, outcomes) in ATTEMPTS {
        for (part, expected) in PARTS.into_iter().zip(outcomes) {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("file"), "of another session").unwrap();
            let (status, stderr) = run(part, name, folder.path(), port);
            let outcome = match (status.code(), status.signal()) {
                (Some(DONE), _) => Done,
                (Some(REFUSED), _) => Refused,
                (_, Some(signal)) if signal == Signal::SYS.as_raw() => Killed,
                (_, Some(signal)) if signal == Signal::ABORT.as_raw() => Aborted,
                (Some(LACKING), _) => {
                    eprintln!("{part} is not tested: this system lacks it");
                    continue;
                }
                _ => panic!("{part}: {name}: {status}: {stderr}"),
            };
            assert_eq!(outcome, expected, "{part}: {name}: {stderr}");
            let files = fs::read_dir(folder.path()).unwrap().count();
            assert!(outcome == Done || files == 1, "{part}: {name} left {files} files");
            let text = fs::read_to_string(folder.path().join("file")).unwrap();
            assert_eq!(text, "of another session", "{part}: {name}");
        }
    }
}
