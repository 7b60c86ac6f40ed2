//! Tries a decoder before any upload needs one, and finds out what confines it.

use std::io::{self, BufReader, Write};
use std::time::Duration;

use super::DecoderConfig;
use super::connection::{self, EMPTY_FILE, FromChild};
use super::protocol::{DecoderMessage, UploadLength};
use super::request::DecodeRequest;
use crate::audio::Hertz;
use crate::process::{Messages, Sandbox};
use crate::proto::reason::ErrorReason;

/// The time within which a decoder answers. A loaded machine may take seconds to start one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a decoder on an empty upload. Returns what confines it.
///
/// # Errors
/// It does not start, or does not answer as it should.
pub(super) fn probe(config: &DecoderConfig) -> io::Result<Sandbox> {
    let command = DecodeRequest::default().command(config, Hertz(44_100));
    let (child, mut to_child, from_child) = connection::start(command, EMPTY_FILE.as_ref())?;
    let messages = Messages::start("decoder-probe", from_child, read)?;
    let all = UploadLength { bytes: 0, complete: true };
    // If the process has ended, the missing message shows it.
    let _ = to_child.write_all(&all.to_word().to_le_bytes());
    let mut sandbox = None;
    loop {
        match messages.receive(PATIENCE) {
            Ok(DecoderMessage::Confined(reported)) => sandbox = Some(reported),
            Ok(DecoderMessage::Waiting(_)) => {}
            Ok(DecoderMessage::Failed(failure)) if failure.reason == ErrorReason::UploadEmpty => {
                return sandbox.ok_or_else(|| io::Error::other("it reports no sandbox"));
            }
            Ok(DecoderMessage::Failed(failure)) => return Err(io::Error::other(failure.message)),
            Ok(message) => {
                return Err(io::Error::other(format!("it decodes nothing to {message:?}")));
            }
            Err(_) => return Err(io::Error::other(format!("it {}", child.ending()))),
        }
    }
}

fn read(pipe: &mut BufReader<FromChild>) -> Option<DecoderMessage> {
    DecoderMessage::read(pipe).ok().flatten()
}
