//! Resources that have run out, as I/O errors report them. A shortage passes: the same call can succeed later.

use std::io;

/// What has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Space on the disk, or the quota of the disk's user.
    Disk,
    /// A limit of the operating system: open files, memory, processes and threads, the size of a file.
    System,
}

impl Shortage {
    /// The shortage that an error of a file reports, if it reports one.
    pub fn of(error: &io::Error) -> Option<Shortage> {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Shortage::Disk),
            io::ErrorKind::FileTooLarge | io::ErrorKind::OutOfMemory => Some(Shortage::System),
            _ if is_out_of_files(error) => Some(Shortage::System),
            _ => None,
        }
    }

    /// The shortage that an error of starting a process or a thread reports, if it reports one.
    pub fn of_start(error: &io::Error) -> Option<Shortage> {
        match error.kind() {
            // The limit of processes and threads.
            io::ErrorKind::WouldBlock => Some(Shortage::System),
            _ => Shortage::of(error),
        }
    }
}

/// Whether the process or the system has as many open files as it may have.
#[cfg(unix)]
fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(windows)]
fn is_out_of_files(error: &io::Error) -> bool {
    /// `ERROR_TOO_MANY_OPEN_FILES`.
    const TOO_MANY_OPEN_FILES: i32 = 4;
    error.raw_os_error() == Some(TOO_MANY_OPEN_FILES)
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_full_disk_is_not_a_limit_of_the_system() {
        let of = |errno: Errno| Shortage::of(&errno.into());
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert_eq!(of(errno), Some(Shortage::Disk), "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::FBIG] {
            assert_eq!(of(errno), Some(Shortage::System), "{errno}");
        }
        for errno in [Errno::IO, Errno::ROFS, Errno::NOENT, Errno::AGAIN] {
            assert_eq!(of(errno), None, "{errno}");
        }
        assert_eq!(Shortage::of_start(&Errno::AGAIN.into()), Some(Shortage::System));
        assert_eq!(Shortage::of_start(&Errno::NOENT.into()), None);
    }
}
