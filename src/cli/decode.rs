//! `stemwire decode`: the child process that decodes an upload.

use super::args::Decode;
use super::error::{CliError, Kind};
use crate::audio::{Encoding, Hertz};
use crate::decode::Input;
use crate::separation::decoder::child;
use crate::separation::decoder::child::Task;
use crate::session::settings::RawPcm;

/// Decodes until the upload ends.
pub(super) fn run(arguments: &Decode) -> Result<(), CliError> {
    let input = match arguments.raw {
        None => Input::Container,
        Some(RawPcm { encoding, rate, channels }) => Input::Raw { encoding, rate, channels },
    };
    let task = Task {
        upload: &arguments.upload,
        input,
        rate: Hertz(arguments.rate),
        memory: arguments.memory,
        processor_time_s: arguments.processor_time,
    };
    child::run(&task).map_err(|error| CliError::plain(Kind::Other, error.to_string()))
}

/// Parses `ENCODING:RATE:CHANNELS`.
pub(super) fn parse_raw(text: &str) -> Result<RawPcm, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [encoding, rate, channels] = parts[..] else {
        return Err("write it as ENCODING:RATE:CHANNELS, such as s16le:48000:2".into());
    };
    let encoding = match encoding {
        "s16le" => Encoding::S16Le,
        "s24le" => Encoding::S24Le,
        "f32le" => Encoding::F32Le,
        other => return Err(format!("{other:?} is not s16le, s24le or f32le")),
    };
    let rate = rate.parse().map(Hertz).ok().filter(|rate| rate.is_supported());
    let rate = rate.ok_or(format!("the rate must be {} to {}", Hertz::LOWEST, Hertz::HIGHEST))?;
    match channels {
        "1" => Ok(RawPcm { encoding, rate, channels: 1 }),
        "2" => Ok(RawPcm { encoding, rate, channels: 2 }),
        other => Err(format!("{other:?} channels are not 1 or 2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_forms_are_checked() {
        let raw = parse_raw("s24le:96000:1").unwrap();
        assert_eq!((raw.encoding, raw.rate, raw.channels), (Encoding::S24Le, Hertz(96_000), 1));
        for bad in ["", "s16le", "s16le:48000", "u8:48000:2", "s16le:0:2", "s16le:48000:3"] {
            assert!(parse_raw(bad).is_err(), "{bad:?} passed");
        }
    }
}
