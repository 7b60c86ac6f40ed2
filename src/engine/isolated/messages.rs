//! The protocol between the parent and the process of an isolated engine.
//!
//! The process writes `loaded` when the model is loaded. For each request it writes `stems BYTES CRC32C` and the stems,
//! `not-finite`, or `failed REASON`. A request is a line `WANTED EXTENSION BYTES` and the segment: the left plane, then
//! the right one. The checksum detects output of a library between the stems.

use std::io::{self, BufRead, Write};

use crate::audio::Stereo;
use crate::dsp::mask::MaskExtension;
use crate::engine::marked_lines::{next_line, read_samples, to_bytes, write_line};
use crate::engine::{EngineError, EngineOptions};

/// Prefix of the lines that the process writes.
const MARK: &str = "stemwire-compute ";

/// The largest message that is accepted, in bytes: 64 stems of the longest segment in use.
const MAX_BYTES: usize = 1 << 30;

/// What an engine is to separate.
#[derive(Debug, PartialEq)]
pub(super) struct SegmentRequest {
    pub(super) mix: Stereo,
    pub(super) options: EngineOptions,
}

/// A message from the process.
#[derive(Debug, PartialEq)]
pub(super) enum IsolatedMessage {
    /// It has loaded the model.
    Loaded,
    /// The stems, one plane after the other.
    Stems(Vec<f32>),
    /// The engine returned numbers that are not finite.
    NotFinite,
    /// The engine failed, for this reason.
    Failed(String),
}

impl SegmentRequest {
    /// Writes a request.
    ///
    /// # Errors
    /// I/O errors of `output`.
    pub(super) fn write(
        mix: &Stereo,
        options: &EngineOptions,
        output: &mut impl Write,
    ) -> io::Result<()> {
        let wanted: String = options.wanted.iter().map(|&w| if w { '1' } else { '0' }).collect();
        let extension = match options.mask_extension {
            MaskExtension::Average => "average",
            MaskExtension::Zeros => "zeros",
        };
        let bytes = to_bytes(mix.planes());
        writeln!(output, "{wanted} {extension} {}", bytes.len())?;
        output.write_all(&bytes)?;
        output.flush()
    }

    /// Reads the next request; `None` at the end of the input.
    ///
    /// # Errors
    /// I/O errors of `input`; `InvalidData` for anything that is no request.
    pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<SegmentRequest>> {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not a request");
        let words: Vec<_> = line.split_whitespace().collect();
        let [wanted, extension, bytes] = words[..] else { return Err(invalid()) };
        let mask_extension = match extension {
            "average" => MaskExtension::Average,
            "zeros" => MaskExtension::Zeros,
            _ => return Err(invalid()),
        };
        let bytes: Option<usize> = bytes.parse().ok();
        let bytes = bytes.filter(|&bytes| bytes <= MAX_BYTES).ok_or_else(invalid)?;
        let left = read_samples(input, bytes / 2).ok_or_else(invalid)?;
        let right = read_samples(input, bytes / 2).ok_or_else(invalid)?;
        let mix = Stereo::from_planes(left, right).ok_or_else(invalid)?;
        let wanted = wanted.chars().map(|wanted| wanted == '1').collect();
        let options = EngineOptions { wanted, mask_extension, members: None };
        Ok(Some(SegmentRequest { mix, options }))
    }
}

impl IsolatedMessage {
    /// The message of an engine's answer.
    pub(super) fn of(answer: Result<Vec<Stereo>, EngineError>) -> IsolatedMessage {
        match answer {
            Ok(stems) => IsolatedMessage::Stems(
                stems.iter().flat_map(Stereo::planes).flatten().copied().collect(),
            ),
            Err(EngineError::NotFinite { .. }) => IsolatedMessage::NotFinite,
            Err(EngineError::Run { reason, .. } | EngineError::OutOfMemory { reason, .. }) => {
                IsolatedMessage::Failed(reason)
            }
            Err(error) => IsolatedMessage::Failed(error.to_string()),
        }
    }

    /// Writes the message.
    ///
    /// # Errors
    /// I/O errors of `output`.
    pub(super) fn write(&self, output: &mut impl Write) -> io::Result<()> {
        match self {
            IsolatedMessage::Loaded => write_line(output, MARK, "loaded"),
            IsolatedMessage::Stems(samples) => {
                let bytes = to_bytes([&samples[..]]);
                let checksum = crc32c::crc32c(&bytes);
                write_line(output, MARK, &format!("stems {} {checksum}", bytes.len()))?;
                output.write_all(&bytes)?;
                output.flush()
            }
            IsolatedMessage::NotFinite => write_line(output, MARK, "not-finite"),
            IsolatedMessage::Failed(reason) => {
                write_line(output, MARK, &format!("failed {}", reason.replace('\n', " ")))
            }
        }
    }

    /// Reads the next message; `None` at the end of the output.
    pub(super) fn read(output: &mut impl BufRead) -> Option<IsolatedMessage> {
        let text = next_line(output, MARK)?;
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        Some(match word {
            "loaded" => IsolatedMessage::Loaded,
            "stems" => return read_stems(rest, output),
            "not-finite" => IsolatedMessage::NotFinite,
            "failed" => IsolatedMessage::Failed(rest.to_owned()),
            _ => invalid(&text),
        })
    }
}

/// Reads the stems of a message with these `fields`.
fn read_stems(fields: &str, output: &mut impl BufRead) -> Option<IsolatedMessage> {
    let numbers = fields.split_once(' ').and_then(|(bytes, checksum)| {
        Some((bytes.parse::<usize>().ok()?, checksum.parse::<u32>().ok()?))
    });
    let Some((bytes, checksum)) = numbers.filter(|&(bytes, _)| bytes <= MAX_BYTES) else {
        return Some(invalid(&format!("stems {fields}")));
    };
    let samples = read_samples(output, bytes)?;
    Some(if crc32c::crc32c(&to_bytes([&samples[..]])) == checksum {
        IsolatedMessage::Stems(samples)
    } else {
        IsolatedMessage::Failed("its stems differ from their checksum".to_owned())
    })
}

fn invalid(text: &str) -> IsolatedMessage {
    IsolatedMessage::Failed(format!("its process wrote {text:?}, which is no message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_as_it_was_sent() {
        let mix = Stereo::from_planes(vec![0.1, -1e-38], vec![f32::MIN_POSITIVE, 7.0]).unwrap();
        for mask_extension in [MaskExtension::Average, MaskExtension::Zeros] {
            let wanted = vec![true, false, true];
            let options = EngineOptions { wanted, mask_extension, members: None };
            let mut bytes = Vec::new();
            SegmentRequest::write(&mix, &options, &mut bytes).unwrap();
            let mut input = &bytes[..];
            let read = SegmentRequest::read(&mut input).unwrap();
            assert_eq!(read, Some(SegmentRequest { mix: mix.clone(), options }));
            assert_eq!(SegmentRequest::read(&mut input).unwrap(), None);
        }
        for bytes in ["11 average", "11 none 0\n", "11 average 8\nabc", "11 zeros 9999999999\n"] {
            assert!(SegmentRequest::read(&mut bytes.as_bytes()).is_err(), "{bytes:?} passed");
        }
    }

    #[test]
    fn a_message_is_read_among_the_lines_of_libraries() {
        let messages = [
            IsolatedMessage::Loaded,
            IsolatedMessage::Stems(vec![1.5, -0.0]),
            IsolatedMessage::NotFinite,
            IsolatedMessage::Failed("two lines".to_owned()),
        ];
        let mut bytes = b"loaded a plugin\nunfinished".to_vec();
        for message in &messages {
            message.write(&mut bytes).unwrap();
            bytes.extend(b"stems 4\n");
        }
        let mut output = &bytes[..];
        for message in messages {
            assert_eq!(IsolatedMessage::read(&mut output), Some(message));
        }
        assert_eq!(IsolatedMessage::read(&mut output), None);
    }
    #[test]
    fn damaged_stems_are_refused() {
        let mut bytes = Vec::new();
        IsolatedMessage::Stems(vec![1.5, -0.0]).write(&mut bytes).unwrap();
        let last = bytes.last_mut().unwrap();
        *last ^= 1;
        for bytes in
            [&bytes[..], b"stemwire-compute stems 4\n", b"stemwire-compute stems 9999999999 1\n"]
        {
            let read = IsolatedMessage::read(&mut &bytes[..]);
            assert!(matches!(read, Some(IsolatedMessage::Failed(_))), "{read:?}");
        }
    }
}
