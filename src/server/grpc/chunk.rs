//! Stem chunks as messages.

use crate::audio::wav::frame_bytes;
use crate::audio::{Encoding, Frames};
use crate::proto;
use crate::session::SessionError;
use crate::session::stem_reader::StemReader;

/// Limit of a message's samples, in bytes.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// Frames per message: [`CHUNK_BYTES`] of float32 stereo. The same for every encoding, so that the stems of a session
/// advance together.
const FRAMES: Frames = Frames(CHUNK_BYTES as u64 / frame_bytes(Encoding::F32Le));

/// The next message of a stem, with frames before `end`; `None` if there are none yet, also while they are recomputed.
pub(super) fn next_chunk(
    reader: &mut StemReader,
    end: Frames,
) -> Result<Option<proto::StemChunk>, SessionError> {
    let most = end.saturating_sub(reader.position()).min(FRAMES);
    let piece = reader.read(most).map_err(|error| reader.error_of(error))?;
    Ok((piece.frames > Frames::ZERO).then(|| proto::StemChunk {
        stem: reader.stem().to_string(),
        start_frame: piece.start.0,
        pcm: piece.bytes.into(),
        clipped_samples: piece.clipped,
        channels: piece.channels as u32,
    }))
}
