//! Supervised child processes.
//!
//! Work that may crash, hang or grow without bound runs in a child process: decoding an upload, [`ffmpeg`], measuring an
//! execution provider, and computing a segment during which the server has crashed. [`ChildProcess`] starts it with piped standard
//! streams, keeps the end of its standard error, reports how it ended ([`Ending`]), and kills it when dropped.
//! [`Messages`] reads its output in a thread, and [`StallTimer`] measures how long it has made no progress. The child sets
//! [`ResourceLimits`], lowers its [`priority`] and enters its [`sandbox`] itself, before it reads untrusted input.
//! [`open_files`] and [`file_size`] are about this process.

mod child;
mod ending;
pub(crate) mod ffmpeg;
pub(crate) mod file_size;
mod limits;
mod messages;
pub(crate) mod open_files;
pub(crate) mod priority;
pub(crate) mod sandbox;
mod stall;
mod stderr;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use child::ChildProcess;
pub(crate) use ending::{Death, Ending, Limit};
pub use ffmpeg::Ffmpeg;
pub(crate) use ffmpeg::FfmpegCodec;
pub(crate) use limits::ResourceLimits;
pub(crate) use messages::Messages;
pub use sandbox::{Sandbox, SandboxLevel};
pub(crate) use stall::StallTimer;

/// The time that a child gets to end after its output has closed or it was killed, and its threads after it.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// The path under which this binary can be started again.
///
/// # Errors
/// The system does not report the binary's path.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    // Linux keeps the running binary under this name even when an upgrade has replaced it on the disk: parent and
    // child must be of one version.
    match PathBuf::from("/proc/self/exe") {
        own if cfg!(target_os = "linux") && own.exists() => Ok(own),
        _ => std::env::current_exe(),
    }
}

/// The variable that holds the access token, as an option of several commands.
pub(crate) const TOKEN_VARIABLE: &str = "STEMWIRE_TOKEN";

/// The variable that holds the secret of a cluster.
pub(crate) const CLUSTER_SECRET_VARIABLE: &str = "STEMWIRE_CLUSTER_SECRET";

/// Variables that no child gets.
pub(crate) const SECRET_VARIABLES: [&str; 2] = [TOKEN_VARIABLE, CLUSTER_SECRET_VARIABLE];

/// A command that starts `program`, which is this binary, under its usual name in the list of processes and in a process
/// group of its own: Ctrl-C reaches only this process, which then ends its children. Its environment is that of this
/// process without its secrets.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.arg0("stemwire").process_group(0);
    }
    for secret in SECRET_VARIABLES {
        command.env_remove(secret);
    }
    command
}

/// The same with an empty environment and the root folder as its working folder.
pub(crate) fn isolated_command(program: &Path) -> Command {
    let mut command = command(program);
    command.env_clear();
    #[cfg(unix)]
    command.current_dir("/");
    // Without it, parts of Windows' own libraries do not load.
    #[cfg(windows)]
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
    command
}

/// Ends this process when its parent ends, on Linux. Elsewhere it ends when its input does or its output has no reader.
pub(crate) fn end_with_parent() {
    // Without it, the process ends as elsewhere.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// Calls `ready` until it returns a value or `limit` has passed. The standard library can wait for a child or a
/// thread only without a limit.
pub(crate) fn poll<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    const PAUSE: Duration = Duration::from_millis(5);
    let begun = Instant::now();
    loop {
        let value = ready();
        if value.is_some() || begun.elapsed() >= limit {
            return value;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Joins a thread that is about to end. One that has not ended within [`GRACE`] is left behind: it waits for a pipe
/// that another process holds open.
pub(crate) fn join_within_grace(thread: JoinHandle<()>) {
    if poll(GRACE, || thread.is_finished().then_some(())).is_some() {
        // The panic of a thread has been printed already.
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_child_gets_the_access_token() {
        let command = command(Path::new("stemwire"));
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).collect();
        // In the order of their names.
        let secrets = [CLUSTER_SECRET_VARIABLE, TOKEN_VARIABLE].map(|name| (name.as_ref(), None));
        assert_eq!(removed, secrets);
    }
}
