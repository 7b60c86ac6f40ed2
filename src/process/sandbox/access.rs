//! Landlock: which files, ports and processes a process can reach.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

/// The version of Landlock whose rights are denied. Older kernels deny what they know of them.
const VERSION: ABI = ABI::V7;

/// Denies everything that Landlock controls: opening files, TCP ports, signals to other processes and abstract sockets.
/// Returns `false` if the kernel has no Landlock.
///
/// # Errors
/// The kernel has Landlock, but refuses.
pub(super) fn deny_all() -> io::Result<bool> {
    let status = restrict().map_err(|error| io::Error::other(format!("Landlock: {error}")))?;
    Ok(status != RulesetStatus::NotEnforced)
}

fn restrict() -> Result<RulesetStatus, RulesetError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::from_all(VERSION))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}
