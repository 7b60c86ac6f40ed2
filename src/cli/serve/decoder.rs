//! Tries a decoder at start-up, so that a system on which none works, or none is confined, shows at once.

use crate::cli::error::CliError;
use crate::proto::reason::Category;
use crate::separation::DecoderConfig;

/// The configuration with what confines a decoder on this system. Prints a warning if a part is missing.
///
/// # Errors
/// The sandbox is required, and decoders are not fully confined.
pub(super) fn try_decoder(decoder: DecoderConfig) -> Result<DecoderConfig, CliError> {
    match decoder.probe() {
        Ok(sandbox) => {
            if let Some(missing) = sandbox.missing() {
                eprintln!(
                    "warning: this system has no {missing}: a song that takes over its decoder is not kept from \
                     all files, processes and connections of this user; --require-sandbox refuses to start then"
                );
            }
            Ok(DecoderConfig { sandbox, ..decoder })
        }
        Err(error) if decoder.require_sandbox => {
            let cause = format!("no decoder runs in its sandbox: {error}");
            let remedy = "Use a kernel with Landlock and seccomp, or start the server without --require-sandbox.";
            Err(CliError::new(Category::Other, cause, remedy))
        }
        Err(error) => {
            eprintln!("warning: no decoder works, so no song can be separated: {error}");
            Ok(decoder)
        }
    }
}
