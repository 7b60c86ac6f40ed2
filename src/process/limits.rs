//! Limits that the system enforces on a child.

use std::io;

/// Files that a child may have open: the standard streams, their duplicates, and what confining it takes.
#[cfg(unix)]
const OPEN_FILES: u64 = 16;

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
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let set = |resource, soft: u64, hard: u64| {
            let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            let (current, maximum) = (Some(soft.min(most)), Some(hard.min(most)));
            setrlimit(resource, Rlimit { current, maximum })
        };
        set(Resource::As, self.memory_bytes, self.memory_bytes)?;
        // The soft limit ends the process with SIGXCPU, which reports the cause; the hard limit with SIGKILL.
        set(Resource::Cpu, self.cpu_time_s, self.cpu_time_s.saturating_add(1))?;
        set(Resource::Fsize, 0, 0)?;
        set(Resource::Core, 0, 0)?;
        set(Resource::Nproc, 0, 0)?;
        set(Resource::Nofile, OPEN_FILES, OPEN_FILES)?;
        Ok(())
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
}
