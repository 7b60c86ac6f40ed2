//! The decoded track on disk, and the statistics that normalization needs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crate::audio::{Encoding, Frames, Stereo};
use crate::files::append_sparse;
use crate::session::checksums::extend;
use crate::session::manifest::TrackLevel;

/// Bytes of one frame: two samples as F32LE.
pub(super) const FRAME_BYTES: u64 = 8;

/// Number of marks in the head: the resolution of [`Statistics::mean_until`].
const MARKS_IN_HEAD: u64 = 4;

/// Bytes read at once; whole frames.
const AT_ONCE: usize = 256 * 1024;

/// Writes `track.f32`, interleaved F32LE without a header.
#[derive(Debug)]
pub(super) struct TrackFileWriter {
    file: File,
    frames: Frames,
    /// CRC32C of the frames.
    checksum: u32,
    statistics: Statistics,
    scratch: Vec<u8>,
}

/// Reads windows of `track.f32`.
#[derive(Debug)]
pub(super) struct TrackFileReader {
    file: File,
}

/// Mean and standard deviation of the track's mono mix so far, the mean up to earlier frames, and the peak of the channels.
///
/// Samples are summed one by one, so the results do not depend on the block size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statistics {
    head: u64,
    /// Frames from one mark to the next.
    step: u64,
    /// The sum of all samples before each mark, and of their squares.
    marks: Vec<[f64; 2]>,
    count: u64,
    sum: f64,
    squares: f64,
    peak: f32,
}

impl TrackFileWriter {
    /// Opens the file and truncates it to `frames` frames, whose CRC32C is `checksum`, if it is known; to none if it has fewer
    /// or others, which the decoder then writes again. `head` is the length of the head of the statistics.
    pub(super) fn open(
        path: &Path,
        frames: Frames,
        checksum: Option<u32>,
        head: Frames,
    ) -> io::Result<TrackFileWriter> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut track = TrackFileWriter {
            frames: frames.min(Frames(file.metadata()?.len() / FRAME_BYTES)),
            file,
            checksum: 0,
            statistics: Statistics::new(head),
            scratch: Vec::new(),
        };
        track.read_all()?;
        let is_other = checksum.is_some_and(|checksum| checksum != track.checksum);
        if is_other || track.frames < frames {
            tracing::warn!(file = %path.display(), "the decoded track is damaged; decoding it again");
            (track.frames, track.checksum) = (Frames::ZERO, 0);
            track.statistics = Statistics::new(head);
        }
        track.file.set_len(track.frames.0 * FRAME_BYTES)?;
        track.file.seek(SeekFrom::End(0))?;
        Ok(track)
    }

    /// Computes the statistics and the checksum of the frames in the file.
    fn read_all(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut left = self.frames.0 * FRAME_BYTES;
        self.scratch.resize(AT_ONCE, 0);
        while left > 0 {
            let bytes = &mut self.scratch[..left.min(AT_ONCE as u64) as usize];
            self.file.read_exact(bytes)?;
            self.checksum = extend(self.checksum, bytes);
            let mut samples = Encoding::F32Le.read(bytes);
            while let (Some(left), Some(right)) = (samples.next(), samples.next()) {
                self.statistics.add(left, right);
            }
            left -= bytes.len() as u64;
        }
        Ok(())
    }

    /// Appends frames and returns the bytes written: passages of digital silence take no disk space.
    pub(super) fn append(&mut self, audio: &Stereo) -> io::Result<u64> {
        self.scratch.clear();
        Encoding::F32Le.write_frames(audio, &mut self.scratch);
        let written = append_sparse(&mut self.file, &self.scratch)?;
        self.checksum = extend(self.checksum, &self.scratch);
        self.frames += audio.frames();
        for (&left, &right) in audio.left().iter().zip(audio.right()) {
            self.statistics.add(left, right);
        }
        Ok(written)
    }

    /// Frames written.
    pub(super) fn frames(&self) -> Frames {
        self.frames
    }

    /// CRC32C of the frames written.
    pub(super) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// Statistics of the frames written.
    pub(super) fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}

impl TrackFileReader {
    /// Opens a track while it is written.
    pub(super) fn open(path: &Path) -> io::Result<TrackFileReader> {
        Ok(TrackFileReader { file: OpenOptions::new().read(true).write(true).open(path)? })
    }

    /// Reads the frames of `range`, which must have been written.
    pub(super) fn read(&mut self, range: Range<u64>) -> io::Result<Stereo> {
        let mut bytes = vec![0; ((range.end - range.start) * FRAME_BYTES) as usize];
        self.file.seek(SeekFrom::Start(range.start * FRAME_BYTES))?;
        self.file.read_exact(&mut bytes)?;
        Ok(Encoding::F32Le.read_frames(&bytes))
    }

    /// Syncs everything that has been written to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Statistics {
    /// Statistics of an empty track. `head` is the shortest beginning whose mean is used.
    pub(super) fn new(head: Frames) -> Statistics {
        // Windows with the default overlap of a quarter end on marks.
        let step = (head.0 / MARKS_IN_HEAD).max(1);
        let (marks, sum, squares, peak) = (Vec::new(), 0.0, 0.0, 0.0);
        Statistics { head: head.0, step, marks, count: 0, sum, squares, peak }
    }

    pub(super) fn add(&mut self, left: f32, right: f32) {
        let mono = (f64::from(left) + f64::from(right)) / 2.0;
        self.count += 1;
        self.sum += mono;
        self.squares += mono * mono;
        self.peak = self.peak.max(left.abs()).max(right.abs());
        if self.count.is_multiple_of(self.step) {
            self.marks.push([self.sum, self.squares]);
        }
    }

    /// Updates to `later`, the statistics of more of the same track.
    pub(super) fn follow(&mut self, later: &Statistics) {
        self.marks.extend_from_slice(later.marks.get(self.marks.len()..).unwrap_or_default());
        (self.count, self.sum, self.squares) = (later.count, later.sum, later.squares);
        self.peak = later.peak;
    }

    /// The mean up to the last mark before frame `end`, but at least of the head, or of all frames if there are fewer.
    /// Independent of how much of the track is known beyond `end`.
    pub(super) fn mean_until(&self, end: u64) -> f64 {
        let marks = end.max(self.head) / self.step;
        let sums = marks.checked_sub(1).and_then(|index| self.marks.get(index as usize));
        sums.map_or_else(|| self.mean(), |[sum, _]| sum / (marks * self.step) as f64)
    }

    /// The levels of the track up to each mark from the head's last one to the last before frame `end`, as far as they are
    /// known. Independent of how much of the track is known beyond `end`.
    pub(super) fn levels_until(&self, end: u64) -> impl Iterator<Item = TrackLevel> {
        let marks = self.head / self.step..=end.max(self.head) / self.step;
        let until = |mark: u64| {
            let [sum, squares] = *self.marks.get(mark.checked_sub(1)? as usize)?;
            Some(level(Frames(mark * self.step), sum, squares))
        };
        marks.map_while(until)
    }

    /// The level of all frames.
    pub(super) fn level(&self) -> TrackLevel {
        level(Frames(self.count), self.sum, self.squares)
    }

    /// Whether there are fewer frames than in the head.
    pub(super) fn is_short(&self) -> bool {
        self.count < self.head
    }

    /// The largest absolute sample.
    pub(super) fn peak(&self) -> f32 {
        self.peak
    }

    /// The mean of all frames.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    /// The standard deviation of all frames, with Bessel's correction as in PyTorch.
    pub(super) fn deviation(&self) -> f64 {
        let correction = self.count as f64 / (self.count.max(2) - 1) as f64;
        self.level().deviation * correction.sqrt()
    }
}

/// The level of so many frames with that sum and that sum of squares, without Bessel's correction as in numpy.
fn level(frames: Frames, sum: f64, squares: f64) -> TrackLevel {
    let count = frames.0.max(1) as f64;
    let mean = sum / count;
    TrackLevel { mean, deviation: (squares / count - mean * mean).max(0.0).sqrt(), frames }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(range: Range<u64>) -> Stereo {
        Stereo::from_planes(range.clone().map(|i| i as f32).collect(), range.map(|_| 1.0).collect())
            .unwrap()
    }

    #[test]
    fn a_track_continues_after_its_synced_frames() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("track.f32");
        let mut whole = TrackFileWriter::open(&path, Frames::ZERO, None, Frames(4)).unwrap();
        whole.append(&ramp(0..3)).unwrap();
        whole.append(&ramp(3..10)).unwrap();
        let five = TrackFileWriter::open(&path, Frames(5), None, Frames(4)).unwrap().checksum();
        let mut resumed = TrackFileWriter::open(&path, Frames(5), Some(five), Frames(4)).unwrap();
        assert_eq!(resumed.frames(), Frames(5));
        resumed.append(&ramp(5..10)).unwrap();
        assert_eq!(resumed.statistics(), whole.statistics());
        assert_eq!(resumed.checksum(), whole.checksum());
        let mut followed = Statistics::new(Frames(4));
        followed.follow(resumed.statistics());
        assert_eq!(&followed, whole.statistics());
        assert_eq!(TrackFileReader::open(&path).unwrap().read(2..7).unwrap(), ramp(2..7));
    }

    #[test]
    fn a_damaged_track_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("track.f32");
        let mut whole = TrackFileWriter::open(&path, Frames::ZERO, None, Frames(4)).unwrap();
        whole.append(&ramp(0..10)).unwrap();
        let checksum = whole.checksum();
        let open = |frames, checksum| {
            TrackFileWriter::open(&path, Frames(frames), Some(checksum), Frames(4)).unwrap()
        };
        assert_eq!(open(10, checksum).frames(), Frames(10));
        let again = open(10, !checksum);
        assert_eq!(again.frames(), Frames::ZERO);
        assert_eq!(again.statistics(), &Statistics::new(Frames(4)));
        whole.append(&ramp(0..10)).unwrap();
        assert_eq!(open(11, checksum).frames(), Frames::ZERO);
    }

    #[test]
    fn the_numbers_are_those_of_the_mono_mix() {
        let mut statistics = Statistics::new(Frames(2));
        for (left, right) in [(1.0, 3.0), (0.0, 0.0), (5.0, 3.0), (2.0, 2.0)] {
            statistics.add(left, right);
        }
        // Of 2, 0, 4, 2.
        let until = |end| statistics.mean_until(end);
        assert_eq!((statistics.mean(), until(0), until(2), until(3)), (2.0, 1.0, 1.0, 2.0));
        assert!((statistics.deviation() - (8.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
