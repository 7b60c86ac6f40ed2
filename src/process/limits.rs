//! Limits that the system enforces on a child.

use std::io;

/// Files that a child may have open: the standard streams, their duplicates, and what confining it takes.
#[cfg(unix)]
const OPEN_FILES: u64 = 16;

/// The same of a program of its own, which opens its libraries one after the other.
#[cfg(unix)]
const PROGRAM_OPEN_FILES: u64 = 64;

/// Limits that a child sets on itself. They have an effect where the system has `setrlimit`; elsewhere the parent's
/// own limits remain: those on messages and on stalls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResourceLimits {
    /// Address space, in bytes.
    pub(crate) memory_bytes: u64,
    /// Processor time, in seconds.
    pub(crate) cpu_time_s: u64,
}

impl ResourceLimits {
    /// Sets the limits for this process. It can write no files and no core dump and start no process afterwards; pipes
    /// are not limited.
    ///
    /// # Errors
    /// The system refuses a limit.
    #[cfg(unix)]
    pub(crate) fn apply(&self) -> io::Result<()> {
        self.apply_but_processes(OPEN_FILES)?;
        set(rustix::process::Resource::Nproc, 0, 0)
    }

    /// The same for a process that becomes a program that starts threads, which count as processes of the user: its
    /// sandbox has to keep it from starting others.
    ///
    /// # Errors
    /// Those of [`apply`](ResourceLimits::apply).
    #[cfg(unix)]
    pub(crate) fn apply_to_program(&self) -> io::Result<()> {
        self.apply_but_processes(PROGRAM_OPEN_FILES)
    }

    #[cfg(unix)]
    fn apply_but_processes(&self, open_files: u64) -> io::Result<()> {
        use rustix::process::Resource;

        set(Resource::As, self.memory_bytes, self.memory_bytes)?;
        // The soft limit ends the process with SIGXCPU, which reports the cause; the hard limit with SIGKILL.
        set(Resource::Cpu, self.cpu_time_s, self.cpu_time_s.saturating_add(1))?;
        set(Resource::Fsize, 0, 0)?;
        set(Resource::Core, 0, 0)?;
        set(Resource::Nofile, open_files, open_files)
    }

    /// Does nothing: this system has no such limits.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub(crate) fn apply(&self) -> io::Result<()> {
        let ResourceLimits { memory_bytes: _, cpu_time_s: _ } = self;
        Ok(())
    }

    /// The same.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub(crate) fn apply_to_program(&self) -> io::Result<()> {
        self.apply()
    }
}

/// Sets both limits of a resource, within those that this process has.
#[cfg(unix)]
fn set(resource: rustix::process::Resource, soft: u64, hard: u64) -> io::Result<()> {
    use rustix::process::{Rlimit, getrlimit, setrlimit};

    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let (current, maximum) = (Some(soft.min(most)), Some(hard.min(most)));
    Ok(setrlimit(resource, Rlimit { current, maximum })?)
}
