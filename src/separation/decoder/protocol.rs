//! The protocol between parent and child.
//!
//! On the child's standard input: the length of the upload so far, as a `u64` in little-endian order, each time it
//! grows, with the highest bit set once the upload is complete. On its standard output: messages of one byte of kind,
//! four bytes of length, and that many bytes. Messages other than PCM and the cover are JSON.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::audio::cover::MAX_COVER_BYTES;
use crate::audio::{Frames, SourceTags, Stereo};
use crate::decode::{DecodeReport, SilenceEdge};
use crate::process::Sandbox;
use crate::session::{Failure, manifest::SourceRecord};

/// Set in the word of a length that is final.
const COMPLETE: u64 = 1 << 63;

/// Limit of PCM per message, in bytes.
const MAX_PCM_BYTES: u32 = 8 << 20;

/// Limit of JSON per message, in bytes.
const MAX_JSON_BYTES: u32 = 64 << 10;

/// Length of the upload so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct UploadLength {
    /// Bytes that can be read.
    pub(super) bytes: u64,
    /// Whether the upload is complete.
    pub(super) complete: bool,
}

impl UploadLength {
    /// The length as a word of the protocol.
    pub(super) fn to_word(self) -> u64 {
        self.bytes | if self.complete { COMPLETE } else { 0 }
    }

    /// Parses a word of the protocol.
    pub(super) fn from_word(word: u64) -> UploadLength {
        UploadLength { bytes: word & !COMPLETE, complete: word & COMPLETE != 0 }
    }

    /// Receives the next word.
    pub(super) fn receive(input: &mut impl Read) -> io::Result<UploadLength> {
        let mut word = [0; 8];
        input.read_exact(&mut word)?;
        Ok(UploadLength::from_word(u64::from_le_bytes(word)))
    }
}

/// A message from the child.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DecoderMessage {
    /// What confines the child; before it reads the upload.
    Confined(Sandbox),
    /// The format of the upload; before any PCM.
    Source(SourceRecord),
    /// An edge of a silent passage; before the PCM that determines it. Sent only to a parent that asks for it.
    Silence(SilenceEdge),
    /// Frames of the track, interleaved F32LE.
    Pcm(Vec<u8>),
    /// The child waits for the upload to grow beyond this length.
    Waiting(UploadLength),
    /// The cover picture of the upload, if it has one; before the end.
    Cover(Vec<u8>),
    /// The track has ended.
    End(End),
    /// The upload cannot be decoded (further).
    Failed(Failure),
    /// The same, and another decoder may read it: its container or codec is not supported. Only before the source.
    Unsupported(UnsupportedUpload),
}

/// Why an upload is not decoded by this program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct UnsupportedUpload {
    pub(super) failure: Failure,
    /// Whether its container has times that show when the audio begins.
    pub(super) is_timed: bool,
}

/// The result of decoding a whole upload.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    /// Length of the upload at its own rate.
    pub(super) source_frames: Frames,
    /// Frames replaced by silence, at the upload's rate.
    pub(super) damaged: Frames,
    /// Notices for the user.
    pub(super) notices: Vec<String>,
    /// What was repaired and skipped.
    pub(super) report: DecodeReport,
    /// Seconds after which a live source was cut.
    pub(super) live_limit_s: Option<u64>,
    /// The tags of the upload; `None` if they are not read again.
    pub(super) tags: Option<SourceTags>,
    /// Whether the upload has a cover picture that is not kept.
    pub(super) cover_left_out: bool,
}

impl DecoderMessage {
    /// Writes the message.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (kind, body) = match self {
            DecoderMessage::Confined(sandbox) => (b'C', serde_json::to_vec(sandbox)?),
            DecoderMessage::Source(source) => (b'S', serde_json::to_vec(source)?),
            DecoderMessage::Silence(edge) => (b'Z', serde_json::to_vec(edge)?),
            DecoderMessage::Pcm(bytes) => return write_message(out, b'P', bytes),
            DecoderMessage::Waiting(length) => (b'W', length.to_word().to_le_bytes().to_vec()),
            DecoderMessage::Cover(bytes) => return write_message(out, b'A', bytes),
            DecoderMessage::End(end) => (b'E', serde_json::to_vec(end)?),
            DecoderMessage::Failed(failure) => (b'F', serde_json::to_vec(failure)?),
            DecoderMessage::Unsupported(refusal) => (b'U', serde_json::to_vec(refusal)?),
        };
        write_message(out, kind, &body)
    }

    /// Reads a message; `None` at the end of the stream.
    ///
    /// # Errors
    /// `InvalidData` for bytes that are no message, `UnexpectedEof` for half a message.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Option<DecoderMessage>> {
        let mut kind = [0; 1];
        if input.read(&mut kind)? == 0 {
            return Ok(None);
        }
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        let most = match kind[0] {
            b'P' => MAX_PCM_BYTES,
            b'A' => MAX_COVER_BYTES as u32,
            _ => MAX_JSON_BYTES,
        };
        if length > most {
            return Err(invalid("the message is too long"));
        }
        let mut body = vec![0; length as usize];
        input.read_exact(&mut body)?;
        let message = match kind[0] {
            b'C' => DecoderMessage::Confined(serde_json::from_slice(&body)?),
            b'S' => DecoderMessage::Source(serde_json::from_slice(&body)?),
            b'Z' => match serde_json::from_slice(&body)? {
                SilenceEdge { channel, .. } if channel >= Stereo::CHANNELS => {
                    return Err(invalid("the channel is neither left nor right"));
                }
                edge => DecoderMessage::Silence(edge),
            },
            b'P' if body.len().is_multiple_of(8) => DecoderMessage::Pcm(body),
            b'W' => {
                let word = body.try_into().map_err(|_| invalid("the length is not of 8 bytes"))?;
                DecoderMessage::Waiting(UploadLength::from_word(u64::from_le_bytes(word)))
            }
            b'A' => DecoderMessage::Cover(body),
            b'E' => DecoderMessage::End(serde_json::from_slice(&body)?),
            b'F' => DecoderMessage::Failed(serde_json::from_slice(&body)?),
            b'U' => DecoderMessage::Unsupported(serde_json::from_slice(&body)?),
            _ => return Err(invalid("the message is of no known kind")),
        };
        Ok(Some(message))
    }
}

fn write_message(out: &mut impl Write, kind: u8, body: &[u8]) -> io::Result<()> {
    out.write_all(&[kind])?;
    out.write_all(&(body.len() as u32).to_le_bytes())?;
    out.write_all(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Hertz;
    use crate::decode::{AudioTrack, EdgeKind};
    use crate::proto::reason::ErrorReason;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let source = SourceRecord {
            container: "wav".into(),
            codec: "pcm".into(),
            rate: Hertz(8_000),
            channels: 1,
            frames: None,
            damaged: Frames::ZERO,
            output_rate: Hertz(44_100),
            decoder: None,
            live_limit_s: None,
            report: DecodeReport::default(),
            tags: SourceTags { title: Some("Song".into()), ..SourceTags::default() },
            cover_bytes: None,
            cover_crc32c: None,
            cover_left_out: false,
            track: AudioTrack { number: 2, count: 3 },
        };
        let messages = [
            DecoderMessage::Confined(Sandbox { landlock: true, seccomp: false }),
            DecoderMessage::Source(source),
            DecoderMessage::Silence(SilenceEdge {
                channel: 1,
                kind: EdgeKind::End,
                track: Frames(2),
                source: Frames(3),
            }),
            DecoderMessage::Pcm(vec![0; 16]),
            DecoderMessage::Waiting(UploadLength { bytes: 7, complete: true }),
            DecoderMessage::Cover(vec![7; 70_000]),
            DecoderMessage::End(End { source_frames: Frames(2), ..End::default() }),
            DecoderMessage::Failed(
                Failure::new(ErrorReason::NothingDecoded, "silence").with("packets", 3),
            ),
            DecoderMessage::Unsupported(UnsupportedUpload {
                failure: Failure::new(ErrorReason::CodecUnsupported, "WMA"),
                is_timed: true,
            }),
        ];
        let mut bytes = Vec::new();
        for message in &messages {
            message.write(&mut bytes).unwrap();
        }
        let mut input = &bytes[..];
        for message in messages {
            assert_eq!(DecoderMessage::read(&mut input).unwrap(), Some(message));
        }
        assert_eq!(DecoderMessage::read(&mut input).unwrap(), None);
    }

    #[test]
    fn malformed_messages_are_refused() {
        for bytes in [
            &b"X\0\0\0\0"[..],
            b"P\x01\0\0\0x",
            b"P\xff\xff\xff\xff",
            b"A\xff\xff\xff\xff",
            b"S\x02\0\0\0{}",
            b"P",
        ] {
            assert!(DecoderMessage::read(&mut &bytes[..]).is_err(), "{bytes:?} passed");
        }
    }
}
