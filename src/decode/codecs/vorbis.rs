//! Vorbis of more than two channels, decoded by lewton.
//!
//! Symphonia 0.6.1 decouples channels in the wrong order and mixes up the residue classes of
//! neighbouring channels: more than two channels are decoded wrongly (3 to 24 dB SNR against FFmpeg)
//! without an error.

use lewton::audio::{PreviousWindowRight, read_audio_packet_generic};
use lewton::header::{IdentHeader, SetupHeader, read_header_ident, read_header_setup};

use super::Damaged;

/// Bytes of the identification header.
const IDENTIFICATION_BYTES: usize = 30;

/// Decoder of one stream.
pub(super) struct SurroundVorbis {
    identification: IdentHeader,
    setup: SetupHeader,
    previous: PreviousWindowRight,
    /// Frames behind the centre of the last window, by channel: lewton returns them with the window
    /// where they do not overlap the next one, other decoders with the next.
    ahead: Vec<Vec<f32>>,
}

impl SurroundVorbis {
    /// `headers`: identification and set-up header, concatenated.
    ///
    /// # Errors
    /// The reason in words.
    pub(super) fn new(headers: &[u8]) -> Result<SurroundVorbis, String> {
        let headers = headers.split_at_checked(IDENTIFICATION_BYTES);
        let (identification, setup) = headers.ok_or("its headers are too short")?;
        let identification = read_header_ident(identification).map_err(|e| e.to_string())?;
        let windows = (identification.blocksize_0, identification.blocksize_1);
        let setup = read_header_setup(setup, identification.audio_channels, windows)
            .map_err(|error| error.to_string())?;
        Ok(SurroundVorbis {
            identification,
            setup,
            previous: PreviousWindowRight::new(),
            ahead: Vec::new(),
        })
    }

    /// Decodes a packet to its `frames` frames.
    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        frames: u32,
        planes: &mut Vec<Vec<f32>>,
    ) -> Result<(), Damaged> {
        let (head, setup) = (&self.identification, &self.setup);
        let decoded: Vec<Vec<f32>> =
            read_audio_packet_generic(head, setup, packet, &mut self.previous)
                .map_err(|_| Damaged)?;
        self.ahead.resize_with(decoded.len(), Vec::new);
        planes.resize_with(decoded.len(), Vec::new);
        for ((ahead, plane), decoded) in self.ahead.iter_mut().zip(planes).zip(decoded) {
            ahead.extend(decoded);
            // If the first window is long and the second one short, what lies between them is lost.
            plane.clear();
            plane.resize((frames as usize).saturating_sub(ahead.len()), 0.0);
            plane.extend(ahead.drain(..ahead.len().min(frames as usize)));
        }
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        self.previous = PreviousWindowRight::new();
        self.ahead.iter_mut().for_each(Vec::clear);
    }
}
