//! The option of the secret that gateways and workers share.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use crate::cluster::{ClusterSecret, SecretError};
use crate::process::CLUSTER_SECRET_VARIABLE;
use crate::proto::reason::Category;
use crate::server::can_others_read;

#[derive(Debug, Clone, Args)]
pub(super) struct ClusterSecretArgs {
    /// File with the secret that all gateways and workers share, at least 32 characters [env: or STEMWIRE_CLUSTER_SECRET, itself]
    #[arg(long, value_name = "FILE", env = "STEMWIRE_CLUSTER_SECRET_FILE")]
    cluster_secret_file: Option<PathBuf>,
}

impl ClusterSecretArgs {
    /// The secret, which must be there unless only this machine reaches all `addresses`, such as `10.0.0.1:8000`.
    ///
    /// # Errors
    /// It is missing, cannot be read, or could be guessed.
    pub(super) fn read(&self, addresses: &[String]) -> Result<Option<ClusterSecret>, CliError> {
        let given = std::env::var(CLUSTER_SECRET_VARIABLE).ok().filter(|text| !text.is_empty());
        match (&self.cluster_secret_file, given) {
            (Some(_), Some(_)) => {
                let cause = format!(
                    "there are both --cluster-secret-file and the variable {CLUSTER_SECRET_VARIABLE}"
                );
                let remedy = "Write the secret into the file, and give no other.";
                Err(CliError::new(Category::Usage, cause, remedy))
            }
            (Some(path), None) => {
                let secret = ClusterSecret::read(path)?;
                if can_others_read(path) {
                    let file = path.display();
                    tracing::warn!(%file, "all users of this machine can read this secret; remove their permission (chmod o-r)");
                }
                Ok(Some(secret))
            }
            (None, Some(secret)) => Ok(Some(ClusterSecret::new(&secret)?)),
            (None, None) => match addresses.iter().find(|address| !is_local(address)) {
                None => Ok(None),
                Some(address) => {
                    let cause = format!(
                        "other machines can reach {address}, and there is no cluster secret"
                    );
                    let remedy =
                        "Give all gateways and workers the same file with --cluster-secret-file.";
                    Err(CliError::new(Category::Usage, cause, remedy))
                }
            },
        }
    }
}

/// Whether only this machine reaches an address.
fn is_local(address: &str) -> bool {
    match address.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => address.starts_with("localhost:"),
    }
}

impl From<SecretError> for CliError {
    fn from(error: SecretError) -> CliError {
        CliError::new(Category::Usage, error.to_string(), error.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_on_one_machine_needs_no_secret() {
        let check = |addresses: &[&str], is_fine: bool| {
            let addresses: Vec<_> = addresses.iter().map(|&address| address.to_owned()).collect();
            let read = ClusterSecretArgs { cluster_secret_file: None }.read(&addresses);
            assert_eq!(read.is_ok(), is_fine, "{addresses:?}");
        };
        check(&["127.0.0.1:8000", "[::1]:8000", "localhost:8000"], true);
        check(&["127.0.0.1:8000", "10.0.0.1:8000"], false);
        check(&["0.0.0.0:8000"], false);
        check(&["localhost.example:8000"], false);
    }
}
