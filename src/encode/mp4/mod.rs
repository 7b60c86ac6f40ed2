//! Writes MP4 files (ISO/IEC 14496-12 and -14) with tracks of ALAC or AAC, packet by packet, to anything that takes bytes.
//!
//! The layout is `ftyp`, any number of `mdat`, `moov`: nothing that is written is changed later, and nothing about later
//! packets has to be known, so that a file can be sent while it is encoded. It is an ordinary file, not a fragmented one,
//! of which tools that read tags do not find the length. Each `mdat` has about a mebibyte, so that its length is known in front
//! of it. What grows is the table of packets: four bytes each.
//!
//! Lengths are exact: the last packet's duration is shortened, and an edit list cuts off what the encoder puts in front.

mod boxes;
mod codec;
mod metadata;
mod packet_table;
mod track;

use std::io::{self, Write};

pub(crate) use codec::TrackCodec;
pub(crate) use metadata::Mp4Metadata;
pub(crate) use track::TrackSettings;

use crate::audio::{Frames, Hertz};
use boxes::{boxed, full_box, numbers, time_width};
use track::PacketTrack;

/// Content of an `mdat` box from which on the next begins.
const DATA_BYTES: usize = 1 << 20;

/// Bytes of the head of an `mdat` box.
const HEAD_BYTES: u64 = 8;

/// An MP4 file that is being written. [`finish`](Mp4Writer::finish) completes it.
pub(crate) struct Mp4Writer<W> {
    out: W,
    /// Bytes written.
    position: u64,
    /// Content of the `mdat` box that is written next.
    data: Vec<u8>,
    rate: Hertz,
    tracks: Vec<PacketTrack>,
}

impl<W: Write> Mp4Writer<W> {
    /// Begins a file whose tracks all have this rate.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn begin(
        mut out: W,
        rate: Hertz,
        tracks: Vec<TrackSettings>,
    ) -> io::Result<Mp4Writer<W>> {
        let start = boxed(b"ftyp", &[b"M4A ", &[0; 4], b"M4A mp42isom"]);
        out.write_all(&start)?;
        let tracks = tracks.into_iter().map(|track| PacketTrack::new(track, rate)).collect();
        Ok(Mp4Writer { out, position: start.len() as u64, data: Vec::new(), rate, tracks })
    }

    /// Appends a packet to a track, by its index. Tracks are interleaved second by second.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn append(&mut self, track: usize, packet: &[u8]) -> io::Result<()> {
        self.tracks[track].push(packet);
        if self.tracks.iter().all(PacketTrack::has_chunk) {
            self.take_chunks();
        }
        if self.data.len() >= DATA_BYTES { self.write_data() } else { Ok(()) }
    }

    /// Writes the rest. Returns what the bytes went to.
    ///
    /// # Errors
    /// I/O errors; `InvalidData` if the packets do not reach so many frames.
    pub(crate) fn finish(mut self, frames: Frames, metadata: &Mp4Metadata) -> io::Result<W> {
        self.take_chunks();
        self.write_data()?;
        let Mp4Writer { mut out, rate, tracks, .. } = self;
        let mut traks = Vec::new();
        for (index, track) in tracks.into_iter().enumerate() {
            traks.extend(track.into_trak(index as u32 + 1, frames)?);
        }
        let header = movie_header(rate, frames, u32::try_from(traks.len()).unwrap_or(u32::MAX));
        out.write_all(&boxed(b"moov", &[&header, &traks, &metadata.user_data()]))?;
        Ok(out)
    }

    fn take_chunks(&mut self) {
        for track in &mut self.tracks {
            let offset = self.position + HEAD_BYTES + self.data.len() as u64;
            track.take_chunk(offset, &mut self.data);
        }
    }

    fn write_data(&mut self) -> io::Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let length = self.data.len() as u64 + HEAD_BYTES;
        let short = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
        self.out.write_all(&short.to_be_bytes())?;
        self.out.write_all(b"mdat")?;
        self.out.write_all(&self.data)?;
        self.position += length;
        self.data.clear();
        Ok(())
    }
}

/// The unit of time is a frame.
fn movie_header(rate: Hertz, frames: Frames, next_track: u32) -> Vec<u8> {
    let (version, time) = time_width(frames.0);
    let times = [time(0), time(0), rate.0.to_be_bytes().to_vec(), time(frames.0)].concat();
    // Speed and volume 1, reserved.
    let playing = numbers([0x1_0000, 0x0100_0000, 0, 0]);
    full_box(
        b"mvhd",
        version,
        0,
        &[&times, &playing, &track::matrix(), &[0; 24], &next_track.to_be_bytes()],
    )
}
