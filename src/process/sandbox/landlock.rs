//! Landlock: which files, ports and processes a process can reach.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

/// The version of Landlock whose rights are denied. Older kernels deny what they know of them.
const VERSION: ABI = ABI::V7;

/// Folders of the libraries of a system.
const LIBRARIES: [&str; 5] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// Where dynamic loaders look up libraries: the GNU C library's cache, musl's paths.
const LOADER_FILES: [&str; 3] =
    ["/etc/ld.so.cache", "/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path"];

/// Denies everything that Landlock controls: opening files, TCP ports, signals to other processes and abstract sockets.
/// Returns `false` if the kernel has no Landlock.
///
/// # Errors
/// The kernel has Landlock, but refuses.
pub(super) fn deny_all() -> io::Result<bool> {
    restrict(&[])
}

/// The same, but for executing `program` and the dynamic loaders, and reading them, the folders of libraries, and the file
/// that is standard input, if it is one.
///
/// # Errors
/// Those of [`deny_all`].
pub(super) fn deny_all_but(program: &Path) -> io::Result<bool> {
    let run = AccessFs::Execute | AccessFs::ReadFile;
    let mut libraries: Vec<PathBuf> = LIBRARIES.iter().map(PathBuf::from).collect();
    // A program with libraries of its own has them beside its folder: `bin/program`, `lib`.
    let own = program.parent().filter(|folder| folder.ends_with("bin")).and_then(Path::parent);
    libraries.extend(own.map(|folder| folder.join("lib")));
    let files = LOADER_FILES.iter().map(PathBuf::from).collect();
    // Opened anew by programs that cannot seek in a descriptor. The kernel takes no rule for a pipe, and needs none.
    let input = Path::new("/proc/self/fd/0");
    let is_pipe = fs::metadata(input).is_ok_and(|input| input.file_type().is_fifo());
    let input = if is_pipe { Vec::new() } else { vec![input.to_owned()] };
    restrict(&[
        (vec![program.to_owned()], run),
        (loaders(), run),
        (libraries, AccessFs::ReadFile | AccessFs::ReadDir),
        (files, AccessFs::ReadFile.into()),
        (input, AccessFs::ReadFile.into()),
    ])
}

/// The dynamic loaders of this system: `ld-linux-x86-64.so.2`, `ld-musl-x86_64.so.1` and the like.
fn loaders() -> Vec<PathBuf> {
    let folders = LIBRARIES.iter().filter_map(|folder| fs::read_dir(folder).ok());
    let is_loader = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("ld-") && name.contains(".so")
    };
    folders.flatten().filter_map(|entry| Some(entry.ok()?.path())).filter(is_loader).collect()
}

/// Denies everything but this access to these paths, as far as they exist.
fn restrict(allowed: &[(Vec<PathBuf>, BitFlags<AccessFs>)]) -> io::Result<bool> {
    let status = apply(allowed).map_err(|error| io::Error::other(format!("Landlock: {error}")))?;
    Ok(status != RulesetStatus::NotEnforced)
}

fn apply(allowed: &[(Vec<PathBuf>, BitFlags<AccessFs>)]) -> Result<RulesetStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::from_all(VERSION))?
        .create()?;
    for (paths, access) in allowed {
        rules = rules.add_rules(path_beneath_rules(paths, *access))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}
