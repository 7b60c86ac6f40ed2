//! Confinement of a process by its kernel, which the process asks for itself and cannot undo.
//!
//! On Linux: no capabilities, no new privileges, Landlock with nothing allowed (`landlock`), and a list of system calls
//! (`seccomp`). The process keeps the file descriptors that it has, and can open, start or reach nothing more. A
//! process that becomes another program ([`enter_for`]) may also execute that program and read its libraries, and has a
//! longer list of system calls. On other systems nothing yet.

#[cfg(target_os = "linux")]
mod landlock;
#[cfg(target_os = "linux")]
mod seccomp;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What confines a process.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Landlock denies every file, port, signal and abstract socket, as far as the kernel's version of it can.
    pub landlock: bool,
    /// Seccomp denies every system call that decoding does not need.
    pub seccomp: bool,
}

/// How much of a [`Sandbox`] there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxLevel {
    /// All of it.
    Full,
    /// One of both.
    Partial,
    /// Nothing.
    None,
}

impl Sandbox {
    /// How much of it there is.
    pub fn level(self) -> SandboxLevel {
        match (self.landlock, self.seccomp) {
            (true, true) => SandboxLevel::Full,
            (false, false) => SandboxLevel::None,
            _ => SandboxLevel::Partial,
        }
    }

    /// What this system lacks of it, in words; `None` if nothing.
    pub fn missing(self) -> Option<&'static str> {
        match (self.landlock, self.seccomp) {
            (true, true) => None,
            (false, true) => Some("Landlock"),
            (true, false) => Some("seccomp filters"),
            (false, false) => Some("Landlock and seccomp filters"),
        }
    }
}

impl fmt::Display for SandboxLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SandboxLevel::Full => "full",
            SandboxLevel::Partial => "partial",
            SandboxLevel::None => "none",
        })
    }
}

/// Confines this process with all its threads, as far as the kernel can. Returns what confines it from now on.
///
/// # Errors
/// The kernel has a part of the sandbox, but refuses to apply it.
#[cfg(target_os = "linux")]
pub(crate) fn enter() -> io::Result<Sandbox> {
    drop_privileges()?;
    let landlock = landlock::deny_all()?;
    // Last: the list does not contain the calls above.
    let seccomp = seccomp::restrict()?;
    Ok(Sandbox { landlock, seccomp })
}

/// Confines this process for `program`, which it executes next: that may start threads and read its libraries. It can
/// write no file, reach no network and start no other process.
///
/// # Errors
/// Those of [`enter`].
#[cfg(target_os = "linux")]
pub(crate) fn enter_for(program: &Path) -> io::Result<Sandbox> {
    drop_privileges()?;
    let landlock = landlock::deny_all_but(program)?;
    let seccomp = seccomp::restrict_program()?;
    Ok(Sandbox { landlock, seccomp })
}

#[cfg(target_os = "linux")]
fn drop_privileges() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    drop_capabilities()
}

/// A process of root keeps its user, but nothing that root may do.
#[cfg(target_os = "linux")]
fn drop_capabilities() -> io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}

/// Does nothing: this system has no such sandbox.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(crate) fn enter() -> io::Result<Sandbox> {
    Ok(Sandbox::default())
}

/// Does nothing: this system has no such sandbox.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(crate) fn enter_for(_: &Path) -> io::Result<Sandbox> {
    Ok(Sandbox::default())
}
