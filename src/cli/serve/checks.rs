//! Arguments of `stemwire serve` that are refused, alone or together with others.

use std::net::SocketAddr;

use super::args::{Compute, ServeArgs};
use crate::cli::error::CliError;
use crate::proto::reason::Category;

/// Refuses an address that other machines can reach, unless a token protects it or the user asks for that.
pub(super) fn check_exposure(
    listen: SocketAddr,
    has_tokens: bool,
    insecure: bool,
) -> Result<(), CliError> {
    if listen.ip().is_loopback() || has_tokens || insecure {
        return Ok(());
    }
    let cause = format!("other machines can reach {listen}, and there is no token");
    let remedy =
        "Set tokens with --token-file or --token, or allow access without one with --insecure.";
    Err(CliError::new(Category::Usage, cause, remedy))
}

/// What computes. Workers get their tasks by the NATS servers of a cluster, and a cluster is for workers or to share a store.
pub(super) fn checked_compute(args: &ServeArgs) -> Result<Compute, CliError> {
    let refuse = |cause: &str, remedy: &str| Err(CliError::new(Category::Usage, cause, remedy));
    match (args.compute, &args.cluster, &args.store) {
        (Compute::Workers, None, _) => {
            refuse("--compute workers needs NATS servers", "Name them with --cluster.")
        }
        (Compute::Here, Some(_), None) => refuse(
            "--cluster shares sessions between gateways, and there is no --store that keeps them",
            "Name an object store with --store, or let workers compute with --compute workers.",
        ),
        _ => Ok(args.compute),
    }
}

/// The address for the other gateways, if it is given. Refuses one that they cannot connect to.
pub(super) fn check_cluster_address(args: &ServeArgs) -> Result<Option<&str>, CliError> {
    let Some(address) = args.cluster_address.as_deref() else {
        if args.cluster.is_some() && args.listen.ip().is_unspecified() {
            let cause = format!("other gateways cannot connect to {}", args.listen);
            let remedy =
                "Give the address at which they reach this one with --cluster-address HOST:PORT.";
            return Err(CliError::new(Category::Usage, cause, remedy));
        }
        return Ok(None);
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    match address.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !host.is_empty() && !has_any(host, &['/', '@']) => {
            Ok(Some(address))
        }
        _ => {
            let cause = format!("{address:?} is not HOST:PORT");
            let remedy = "Give --cluster-address a host and a port, such as 10.0.0.3:8000.";
            Err(CliError::new(Category::Usage, cause, remedy))
        }
    }
}

/// Refuses host names that no request can match. A variable that is set to nothing yields an empty name.
pub(super) fn check_hosts(hosts: &[String]) -> Result<(), CliError> {
    match hosts.iter().find(|host| has_any(host, &['/', ':'])) {
        None => Ok(()),
        Some(host) => {
            let cause = format!("{host:?} is not a host name");
            let remedy = "Give --allow-host a name without scheme and port, such as music.example.";
            Err(CliError::new(Category::Usage, cause, remedy))
        }
    }
}

/// Refuses origins that no request can match.
pub(super) fn check_origins(origins: &[String]) -> Result<(), CliError> {
    let is_origin = |origin: &str| match origin.split_once("://") {
        Some((scheme, host)) => {
            !scheme.is_empty() && !host.is_empty() && !has_any(host, &['/', '?', '#'])
        }
        // Pages from files have the origin `null`.
        None => origin.is_empty() || origin == "null",
    };
    match origins.iter().find(|origin| !is_origin(origin)) {
        None => Ok(()),
        Some(origin) => {
            let cause = format!("{origin:?} is not the origin of a web page");
            let remedy = "Give --allow-origin https://HOST or https://HOST:PORT, without a path.";
            Err(CliError::new(Category::Usage, cause, remedy))
        }
    }
}

fn has_any(text: &str, characters: &[char]) -> bool {
    text.contains(characters) || text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, has_tokens: bool, insecure: bool, allowed: bool) {
        let checked = check_exposure(listen.parse().unwrap(), has_tokens, insecure);
        assert_eq!(checked.is_ok(), allowed, "{checked:?}");
    }

    #[test]
    fn an_address_that_other_machines_reach_needs_a_token_or_an_option() {
        check("127.0.0.1:8000", false, false, true);
        check("[::1]:8000", false, false, true);
        check("0.0.0.0:8000", false, false, false);
        check("192.168.1.2:8000", false, false, false);
        check("0.0.0.0:8000", false, true, true);
        check("0.0.0.0:8000", true, false, true);
    }
}
