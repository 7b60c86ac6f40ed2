//! PCM has no packets of its own: cuts them from a run of samples.

use crate::decode::codecs::pcm::PcmFormat;
use crate::decode::demux::Packet;
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::DecodeReport;

/// Frames of a packet: 93 ms at 44.1 kHz, so that live audio is decoded at once.
const PACKET_FRAMES: u32 = 4096;

/// The next packet of a run of samples, of which `left` bytes remain if that is known; `None` at its
/// end. Bytes of an incomplete last frame count as skipped.
pub(super) fn next_packet(
    pcm: PcmFormat,
    left: &mut Option<u64>,
    bytes: &mut ByteReader,
    report: &mut DecodeReport,
) -> Result<Option<Packet>, DecodeError> {
    let max = pcm.frame_bytes() * PACKET_FRAMES as usize;
    let wanted = left.map_or(max, |left| usize::try_from(left).unwrap_or(max).min(max));
    let mut samples = bytes.take(wanted)?;
    if let Some(left) = left {
        *left -= samples.len() as u64;
    }
    let part = samples.len() % pcm.frame_bytes().max(1);
    report.skipped_bytes += part as u64;
    samples.truncate(samples.len() - part);
    let frames = (samples.len() / pcm.frame_bytes().max(1)) as u32;
    Ok((frames > 0).then(|| Packet::whole(samples, frames)))
}
