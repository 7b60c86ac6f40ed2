//! `stemwire decode`: the child process that decodes an upload.

use super::args::Decode;
use super::error::CliError;
use crate::audio::Hertz;
use crate::decode::Input;
use crate::proto::reason::Category;
use crate::separation::decoder::child;
use crate::separation::decoder::child::DecodeJob;
use crate::session::settings::RawPcm;

/// Decodes until the upload ends.
pub(super) fn run(arguments: &Decode) -> Result<(), CliError> {
    let input = match arguments.raw {
        None => Input::Container,
        Some(RawPcm { encoding, rate, channels }) => Input::Raw { encoding, rate, channels },
    };
    let job = DecodeJob {
        upload: &arguments.upload,
        input,
        rate: Hertz(arguments.rate),
        memory: arguments.memory,
        processor_time_s: arguments.processor_time,
    };
    child::run(&job).map_err(|error| CliError::plain(Category::Other, error.to_string()))
}
