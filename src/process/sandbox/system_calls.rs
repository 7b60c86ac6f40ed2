//! Seccomp: which system calls a process can make.
//!
//! Two filters. One has the calls that decoding needs ([`NEEDED`]); every other call fails with EPERM. That is enough to
//! keep a process from doing anything else, and a call that a later version of the C library tries first, as they do, is
//! not the end of every decoder. The other has calls that no decoder makes, whatever its library ([`FORBIDDEN`]): they
//! end the process with SIGSYS, because one that makes them is under foreign control.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length,
    SeccompCmpOp as Operator, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// The calls that need no further condition: reading, writing and seeking open files, private memory, locks, time,
/// handlers of the process's own signals, random numbers, the end.
const NEEDED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getrandom,
    libc::SYS_ppoll,
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// The calls that end the process.
const FORBIDDEN: &[i64] = &[
    // Other programs and processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_clone,
    libc::SYS_clone3,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    // The network.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    // Parts of the kernel that have been attacked through.
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
];

/// Restricts all threads of this process. Returns `false` if the kernel has no seccomp filters, or none for this
/// architecture.
///
/// # Errors
/// The kernel has them, but refuses.
pub(super) fn restrict() -> io::Result<bool> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let programs = forbidden(architecture)
        .and_then(|forbidden| Ok([forbidden, needed(refuse, architecture)?]))
        .map_err(|error| io::Error::other(format!("seccomp: {error}")))?;
    for program in programs {
        match seccompiler::apply_filter_all_threads(&program) {
            Ok(()) => {}
            Err(Error::Prctl(error) | Error::Seccomp(error)) if is_missing(&error) => {
                return Ok(false);
            }
            Err(error) => return Err(io::Error::other(format!("seccomp: {error}"))),
        }
    }
    Ok(true)
}

/// Whether an error means that the kernel, or the sandbox that this process is in already, has no seccomp filters.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL | libc::EPERM))
}

/// The filter that ends the process for each call of [`FORBIDDEN`], and for calls of another architecture.
fn forbidden(architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let rules = FORBIDDEN.iter().map(|&call| (call, Vec::new())).collect();
    let (others, these) = (SeccompAction::Allow, SeccompAction::KillProcess);
    SeccompFilter::new(rules, others, these, architecture)?.try_into()
}

/// The filter that allows what decoding needs.
fn needed(others: SeccompAction, architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        NEEDED.iter().map(|&call| (call, Vec::new())).collect();
    // No memory that can be executed: code comes from the program and its libraries alone.
    let executable = libc::PROT_EXEC as u64;
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![rule(2, Operator::MaskedEq(executable), 0)?]);
    }
    // Debug builds check the descriptors that they close.
    let get_flags = libc::F_GETFD as u64;
    rules.insert(libc::SYS_fcntl, vec![rule(1, Operator::Eq, get_flags)?]);
    // `abort` signals its own process.
    rules.insert(libc::SYS_tgkill, vec![rule(0, Operator::Eq, std::process::id().into())?]);
    SeccompFilter::new(rules, others, SeccompAction::Allow, architecture)?.try_into()
}

/// The condition that an argument of a call, by its index, has this value.
fn rule(argument: u8, operator: Operator, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, Length::Dword, operator, value)?])
}
