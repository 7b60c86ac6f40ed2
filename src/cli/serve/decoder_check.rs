//! Tries a decoder at start-up, so that a system on which none works, or none is confined, shows at once.

use crate::cli::error::CliError;
use crate::cli::ffmpeg_option::unusable;
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

/// The configuration with FFmpeg only if it works. Prints a warning if it does not.
///
/// # Errors
/// It is needed and does not work.
pub(super) fn try_ffmpeg(
    decoder: DecoderConfig,
    is_needed: bool,
) -> Result<DecoderConfig, CliError> {
    match decoder.probe_ffmpeg() {
        Ok(version) => {
            if let Some(version) = version {
                tracing::info!("{version} decodes what Stemwire does not read");
            }
            Ok(decoder)
        }
        Err(error) if is_needed => Err(unusable(&format!("ffmpeg does not work: {error}"))),
        Err(error) => {
            eprintln!("warning: ffmpeg is not used, because it does not work: {error}");
            Ok(DecoderConfig { ffmpeg: None, ..decoder })
        }
    }
}
