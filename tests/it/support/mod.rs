//! Shared by the tests: files made by FFmpeg, FFmpeg's decoding of them as the independent reference, uploads that
//! arrive in pieces, and whole separations.

#![allow(unreachable_pub)]

pub mod compare;
pub mod environment;
pub mod fake_engine;
pub mod ffmpeg;
pub mod golden;
pub mod http;
pub mod mp4;
pub mod mutate;
pub mod pipeline;
pub mod process;
pub mod sources;
pub mod uploads;

use stemwire::audio::{Hertz, Stereo};
use stemwire::decode::{
    DecodeError, DecodeLimits, DecodeReport, Decoder, Input, ReadAt, SourceInfo,
};

/// The result of decoding an upload.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    pub source: SourceInfo,
    /// Runs of one rate.
    pub runs: Vec<(Hertz, Stereo)>,
    pub report: DecodeReport,
}

impl Decoded {
    /// The audio of an upload with one rate.
    #[track_caller]
    pub fn only(&self) -> &Stereo {
        assert_eq!(self.runs.len(), 1, "{:?}", self.runs.iter().map(|r| r.0).collect::<Vec<_>>());
        &self.runs[0].1
    }
}

/// Decodes to the end.
pub fn decode_upload(upload: Box<dyn ReadAt>, input: &Input) -> Result<Decoded, DecodeError> {
    let mut decoder = Decoder::open(upload, input, &DecodeLimits::default())?;
    let mut runs: Vec<(Hertz, Stereo)> = Vec::new();
    while let Some(block) = decoder.next_block()? {
        assert!(!block.audio.is_empty(), "an empty block");
        match runs.last_mut().filter(|run| run.0 == block.rate) {
            Some((_, audio)) => audio.extend(&block.audio),
            None => runs.push((block.rate, block.audio)),
        }
    }
    assert!(decoder.next_block().unwrap().is_none(), "a block behind the end");
    Ok(Decoded { source: decoder.source().clone(), runs, report: decoder.report() })
}

/// Decodes complete bytes.
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_upload(uploads::complete(bytes), &Input::Container)
}
