//! M4A: a track of ALAC or AAC.

use super::mp4::{Mp4Metadata, Mp4Writer, TrackSettings};
use super::track_encoder::TrackEncoder;
use super::{Encode, EncodeError, FileSpec, Output};
use crate::audio::{Frames, Stereo};

/// An M4A file that is being written.
pub(super) struct M4aEncoder {
    file: Mp4Writer<Output>,
    track: TrackEncoder,
    metadata: Mp4Metadata,
    expected: Frames,
    written: Frames,
}

impl M4aEncoder {
    /// Begins a file with what `track` encodes.
    pub(super) fn start(
        spec: &FileSpec,
        track: TrackEncoder,
        output: Output,
    ) -> Result<M4aEncoder, EncodeError> {
        let settings = TrackSettings {
            codec: track.codec(),
            channels: spec.channels as u8,
            name: String::new(),
            is_enabled: true,
        };
        let file = Mp4Writer::begin(output, spec.rate, vec![settings])?;
        let metadata = Mp4Metadata { tags: spec.tags.clone(), stems: None };
        Ok(M4aEncoder { file, track, metadata, expected: spec.frames, written: Frames::ZERO })
    }
}

impl Encode for M4aEncoder {
    fn write(&mut self, block: &Stereo) -> Result<u64, EncodeError> {
        self.written += block.frames();
        Ok(self.track.write(block, |packet| self.file.append(0, packet))?)
    }

    fn finish(self: Box<Self>) -> Result<(), EncodeError> {
        let M4aEncoder { mut file, mut track, metadata, expected, written } = *self;
        if written != expected {
            return Err(EncodeError::Length { written, expected });
        }
        track.finish(|packet| file.append(0, packet))?;
        let output = file.finish(written, &metadata)?;
        Ok(output.finish()?)
    }
}
