//! A track: its packets while they are collected, then its `trak` box (ISO/IEC 14496-12, 8.3 to 8.5).

use std::io;

use super::boxes::{boxed, full_box, list, numbers, time_width};
use super::codec::{PacketRate, TrackCodec};
use super::packet_table::PacketTable;
use crate::audio::{Frames, Hertz};

/// What a track is.
#[derive(Debug, Clone)]
pub(crate) struct TrackSettings {
    pub(crate) codec: TrackCodec,
    pub(crate) channels: u8,
    /// Shown by players that let users choose a track.
    pub(crate) name: String,
    /// Whether players play it unless users choose another one.
    pub(crate) is_enabled: bool,
}

/// A track whose packets are collected.
pub(super) struct PacketTrack {
    settings: TrackSettings,
    rate: Hertz,
    table: PacketTable,
    /// The packets of the next chunk.
    pending: Vec<u8>,
    pending_packets: u32,
}

/// Flags of a track header.
const ENABLED: u32 = 1;
const IN_MOVIE: u32 = 2;

/// "Undetermined" in ISO 639-2, in three times five bits.
const NO_LANGUAGE: [u8; 2] = [0x55, 0xc4];

impl PacketTrack {
    pub(super) fn new(settings: TrackSettings, rate: Hertz) -> PacketTrack {
        let table = PacketTable::default();
        PacketTrack { settings, rate, table, pending: Vec::new(), pending_packets: 0 }
    }

    /// Adds a packet to the next chunk.
    pub(super) fn push(&mut self, packet: &[u8]) {
        // A packet has a fraction of a second.
        self.table.push(packet.len() as u32);
        self.pending.extend_from_slice(packet);
        self.pending_packets += 1;
    }

    /// Whether the next chunk has a second of audio.
    pub(super) fn has_chunk(&self) -> bool {
        u64::from(self.pending_packets) * u64::from(self.settings.codec.packet_frames())
            >= u64::from(self.rate.0)
    }

    /// Moves the next chunk to `data`, which is at this offset in the file.
    pub(super) fn take_chunk(&mut self, offset: u64, data: &mut Vec<u8>) {
        if self.pending_packets > 0 {
            self.table.end_chunk(offset, self.pending_packets);
            data.append(&mut self.pending);
            self.pending_packets = 0;
        }
    }

    /// The `trak` box with this number.
    ///
    /// # Errors
    /// `InvalidData` if the packets do not reach so many frames.
    pub(super) fn into_trak(mut self, number: u32, frames: Frames) -> io::Result<Vec<u8>> {
        let codec = self.settings.codec;
        let delay = if frames == Frames::ZERO { 0 } else { u64::from(codec.delay()) };
        let duration = delay + frames.0;
        self.table.cut(duration, codec.packet_frames())?;
        let edits = if delay > 0 { edits(delay, frames) } else { Vec::new() };
        let media = self.media(duration);
        Ok(boxed(b"trak", &[&self.header(number, frames), &edits, &media]))
    }

    fn header(&self, number: u32, frames: Frames) -> Vec<u8> {
        let (version, time) = time_width(frames.0);
        let flags = IN_MOVIE | if self.settings.is_enabled { ENABLED } else { 0 };
        let times = [&time(0), &time(0), &numbers([number, 0])[..], &time(frames.0)].concat();
        // Reserved; layer and group of alternatives; volume 1.
        let playing = numbers([0, 0, 0, 0x0100_0000]);
        full_box(b"tkhd", version, flags, &[&times, &playing, &matrix(), &[0; 8]])
    }

    fn media(&self, duration: u64) -> Vec<u8> {
        let TrackSettings { codec, channels, name, .. } = &self.settings;
        let (version, time) = time_width(duration);
        let times = [&time(0), &time(0), &self.rate.0.to_be_bytes()[..], &time(duration)].concat();
        let header = full_box(b"mdhd", version, 0, &[&times, &NO_LANGUAGE, &[0; 2]]);
        let handler = full_box(b"hdlr", 0, 0, &[&[0; 4], b"soun", &[0; 12], name.as_bytes(), &[0]]);
        let packets = PacketRate {
            largest: self.table.largest(),
            bit_rate: self.table.bit_rate(duration, self.rate.0),
        };
        let entry = codec.entry(self.rate, *channels, packets);
        let table = boxed(
            b"stbl",
            &[
                &full_box(b"stsd", 0, 0, &[&list([entry])]),
                &self.table.boxes(duration, codec.packet_frames()),
            ],
        );
        // The data is in this file.
        let here = full_box(b"url ", 0, 1, &[]);
        let references = boxed(b"dinf", &[&full_box(b"dref", 0, 0, &[&list([here])])]);
        let sound = full_box(b"smhd", 0, 0, &[&[0; 4]]);
        boxed(b"mdia", &[&header, &handler, &boxed(b"minf", &[&sound, &references, &table])])
    }
}

/// An edit list that begins behind the delay.
fn edits(delay: u64, frames: Frames) -> Vec<u8> {
    let (version, time) = time_width(delay.max(frames.0));
    // At speed 1.
    let edit = [&time(frames.0), &time(delay), &0x1_0000_u32.to_be_bytes()[..]].concat();
    boxed(b"edts", &[&full_box(b"elst", version, 0, &[&list([edit])])])
}

/// Shows pictures as they are.
pub(super) fn matrix() -> Vec<u8> {
    numbers([0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000])
}
