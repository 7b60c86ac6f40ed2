//! Seccomp: which system calls a process can make.
//!
//! Two filters. One has the calls that decoding needs ([`NEEDED`]); every other call fails with EPERM. That is enough to
//! keep a process from doing anything else, and a call that a later version of the C library tries first, as they do, is
//! not the end of every decoder. The other has calls that no decoder makes, whatever its library ([`FORBIDDEN`]): they
//! end the process with SIGSYS, because one that makes them is under foreign control.
//!
//! A process that becomes another program has lists of its own ([`restrict_program`]): the program must be executed, find
//! its libraries ([`NEEDED_BY_PROGRAM`]) and may start threads.

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

/// What a program of its own needs beyond [`NEEDED`]: to be executed, to find its libraries, to set up threads, and to
/// learn about itself. Landlock decides which files it can open and execute.
const NEEDED_BY_PROGRAM: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_pwrite64,
    libc::SYS_dup,
    libc::SYS_pselect6,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getppid,
    // Refused by a filter of its own, in the way after which C libraries try `clone`.
    libc::SYS_clone3,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
];

/// Calls of [`FORBIDDEN`] that a program of its own makes: it is executed, and starts threads.
const ALLOWED_TO_PROGRAM: [i64; 3] = [libc::SYS_execve, libc::SYS_clone, libc::SYS_clone3];

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
    apply(|architecture| Ok(vec![forbidden(FORBIDDEN, architecture)?, needed(architecture)?]))
}

/// The same for a process that becomes another program.
///
/// # Errors
/// Those of [`restrict`].
pub(super) fn restrict_program() -> io::Result<bool> {
    let calls = FORBIDDEN.iter().filter(|call| !ALLOWED_TO_PROGRAM.contains(call));
    let calls: Vec<i64> = calls.copied().collect();
    apply(|architecture| {
        Ok(vec![
            forbidden(&calls, architecture)?,
            without_clone3(architecture)?,
            needed_by_program(architecture)?,
        ])
    })
}

fn apply(
    programs: impl FnOnce(TargetArch) -> Result<Vec<BpfProgram>, BackendError>,
) -> io::Result<bool> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
    let programs =
        programs(architecture).map_err(|error| io::Error::other(format!("seccomp: {error}")))?;
    // The last one does not contain the call that installs a filter.
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

/// The filter that ends the process for each of these calls, and for calls of another architecture.
fn forbidden(calls: &[i64], architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let rules = calls.iter().map(|&call| (call, Vec::new())).collect();
    let (others, these) = (SeccompAction::Allow, SeccompAction::KillProcess);
    SeccompFilter::new(rules, others, these, architecture)?.try_into()
}

/// The filter that makes `clone3` unknown: its arguments are in memory, which no filter can read.
fn without_clone3(architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let (others, this) = (SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32));
    SeccompFilter::new(rules, others, this, architecture)?.try_into()
}

/// The filter that allows what decoding needs.
fn needed(architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules = rules_of(NEEDED)?;
    // No memory that can be executed: code comes from the program and its libraries alone.
    rules.insert(libc::SYS_mmap, vec![without_bits(2, libc::PROT_EXEC)?]);
    // Debug builds check the descriptors that they close.
    rules.insert(libc::SYS_fcntl, vec![rule(1, Operator::Eq, libc::F_GETFD as u64)?]);
    allow(rules, architecture)
}

/// The filter that allows what a program of its own needs.
fn needed_by_program(architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules = rules_of(NEEDED)?;
    rules.extend(NEEDED_BY_PROGRAM.iter().map(|&call| (call, Vec::new())));
    // Libraries are mapped; no memory can be both written and executed.
    let mapped = vec![without_bits(2, libc::PROT_EXEC)?, without_bits(2, libc::PROT_WRITE)?];
    rules.insert(libc::SYS_mmap, mapped);
    let commands = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC];
    let commands = commands.map(|command| rule(1, Operator::Eq, command as u64));
    rules.insert(libc::SYS_fcntl, commands.into_iter().collect::<Result<_, _>>()?);
    // Threads, and no processes.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![rule(0, Operator::MaskedEq(thread), thread)?]);
    rules.insert(libc::SYS_prctl, vec![rule(0, Operator::Eq, libc::PR_SET_NAME as u64)?]);
    // Reads a limit and sets none.
    let none = SeccompCondition::new(2, Length::Qword, Operator::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![none])?]);
    allow(rules, architecture)
}

/// Rules for these calls, and for those of every process: memory that stays as it is, `abort`.
fn rules_of(calls: &[i64]) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut rules: BTreeMap<_, _> = calls.iter().map(|&call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_mprotect, vec![without_bits(2, libc::PROT_EXEC)?]);
    // `abort` signals its own process.
    rules.insert(libc::SYS_tgkill, vec![rule(0, Operator::Eq, std::process::id().into())?]);
    Ok(rules)
}

/// The filter that lets these calls pass; all others fail with EPERM.
fn allow(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    architecture: TargetArch,
) -> Result<BpfProgram, BackendError> {
    let (others, these) = (SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow);
    SeccompFilter::new(rules, others, these, architecture)?.try_into()
}

/// The condition that an argument of a call has none of these bits.
fn without_bits(argument: u8, bits: i32) -> Result<SeccompRule, BackendError> {
    rule(argument, Operator::MaskedEq(bits as u64), 0)
}

/// The condition that an argument of a call, by its index, has this value.
fn rule(argument: u8, operator: Operator, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, Length::Dword, operator, value)?])
}
