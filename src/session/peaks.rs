//! Waveform peaks: the smallest and the largest sample of every 1024 frames of a stem.
//!
//! They are cached in a file that grows with the stem, so each frame is read once. Committed frames never change, so
//! neither do their peaks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use super::Session;
use super::SessionError;
use crate::audio::{Encoding, Frames, StemName};
use crate::session::stem_reader::{StemFormat, StemReader};

/// Frames per peak.
pub const FRAMES_PER_PEAK: Frames = Frames(1024);

/// Limit of peaks per call, which also bounds the work: 25 minutes at 44.1 kHz.
pub const MAX_PEAKS: u64 = 65_536;

/// Bytes of a peak in the file: two little-endian f32.
const PEAK_BYTES: u64 = 8;

/// Frames read at once.
const FRAMES_AT_ONCE: Frames = Frames(64 * FRAMES_PER_PEAK.0);

/// Consecutive peaks of a stem.
#[derive(Debug, Clone, PartialEq)]
pub struct Peaks {
    /// Smallest and largest sample of both channels.
    pub peaks: Vec<[f32; 2]>,
    /// Whether the session has ended and they reach its last finished frame.
    pub complete: bool,
}

/// The complete peaks of `stem` from index `from`, at most [`MAX_PEAKS`]. The last peak of a session that has ended
/// may cover fewer frames. Calls for one session must not run at the same time.
///
/// # Errors
/// `StemUnknown`, `Storage`.
pub fn peaks(session: &Arc<Session>, stem: &str, from: u64) -> Result<Peaks, SessionError> {
    let form = StemFormat::STORED;
    let mut reader = StemReader::open(session, stem, Frames::ZERO, form)?;
    // The state first: if it has ended, the frames read after it are all.
    let ended = session.state().is_ended();
    let frames = session.progress().finished;
    let available =
        if ended { frames.0.div_ceil(FRAMES_PER_PEAK.0) } else { frames.0 / FRAMES_PER_PEAK.0 };
    let end = from.saturating_add(MAX_PEAKS).min(available);
    if from >= end {
        return Ok(Peaks { peaks: Vec::new(), complete: ended && from >= available });
    }
    let mut file = open(session, reader.stem())?;
    let known = file.metadata()?.len() / PEAK_BYTES;
    if known < end {
        // A partial peak that a crash left is overwritten.
        file.seek(SeekFrom::Start(known * PEAK_BYTES))?;
        reader.seek(Frames(known * FRAMES_PER_PEAK.0));
        let found = find(&mut reader, &mut file, end);
        session.measure();
        found?;
    }
    let mut bytes = vec![0; ((end - from) * PEAK_BYTES) as usize];
    file.seek(SeekFrom::Start(from * PEAK_BYTES))?;
    file.read_exact(&mut bytes)?;
    let samples: Vec<f32> = Encoding::F32Le.read(&bytes).collect();
    let peaks = samples.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
    Ok(Peaks { peaks, complete: ended && end == available })
}

fn open(session: &Session, stem: &StemName) -> io::Result<File> {
    let path = session.layout().peaks(stem);
    if let Some(folder) = path.parent() {
        // Not the parents: a session that is being removed must not reappear.
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Adds peaks to the file until it has `end` of them.
fn find(reader: &mut StemReader, file: &mut File, end: u64) -> io::Result<()> {
    let last = Frames(end * FRAMES_PER_PEAK.0);
    while reader.position() < last {
        let most = last.saturating_sub(reader.position()).min(FRAMES_AT_ONCE);
        let block = reader.read(most)?;
        if block.frames == Frames::ZERO {
            // The stem ends within the last peak.
            return Ok(());
        }
        let samples: Vec<f32> = Encoding::F32Le.read(&block.bytes).collect();
        let peaks = samples.chunks(2 * FRAMES_PER_PEAK.0 as usize).flat_map(extremes);
        let mut bytes = Vec::new();
        Encoding::F32Le.write(peaks, &mut bytes);
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// Smallest and largest of the samples; NaN counts as 0.
fn extremes(samples: &[f32]) -> [f32; 2] {
    let number = |sample: &f32| if sample.is_nan() { 0.0 } else { *sample };
    let all = || samples.iter().map(number);
    [all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::GrowingWav;
    use crate::audio::{Hertz, Stereo};
    use crate::session::manifest::Plan;
    use crate::session::{SessionState, Store};

    fn stereo(frames: usize) -> Stereo {
        let left: Vec<f32> = (0..frames).map(|i| (i % 5000) as f32 / 5000.0).collect();
        let right = left.iter().map(|sample| -sample / 2.0).collect();
        Stereo::from_planes(left, right).unwrap()
    }

    fn expected(frames: usize) -> Vec<[f32; 2]> {
        let samples: Vec<f32> = stereo(frames).interleaved().collect();
        let least = |chunk: &[f32]| chunk.iter().copied().reduce(f32::min).unwrap();
        let largest = |chunk: &[f32]| chunk.iter().copied().reduce(f32::max).unwrap();
        samples.chunks(2048).map(|chunk| [least(chunk), largest(chunk)]).collect()
    }

    #[test]
    fn peaks_grow_with_the_stem_and_end_with_it() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let name: StemName = "vocals".parse().unwrap();
        let plan = Plan { segment: Frames(8), overlap: 0.0, ..Plan::for_test(&["vocals"]) };
        let (session, _) = store.create(crate::session::Settings::default(), plan).unwrap();
        let path = session.layout().growing_stem(&name);
        let mut wav = GrowingWav::create(&path, Encoding::F32Le, Hertz(44_100)).unwrap();
        let check = |from: u64, expected: &[[f32; 2]], complete: bool| {
            let found = peaks(&session, "vocals", from).unwrap();
            assert_eq!(found.peaks.len(), expected.len());
            assert_eq!(found, Peaks { peaks: expected.to_vec(), complete });
        };
        check(0, &[], false);
        let whole = stereo(200_000);
        for frames in [100_000, 200_000] {
            let samples: Vec<f32> = whole.interleaved().collect();
            let from = if frames == 100_000 { 0 } else { 200_000 };
            wav.append(&Stereo::from_interleaved(&samples[from..2 * frames])).unwrap();
            session.update(|manifest| manifest.commit.stems = Frames(frames as u64)).unwrap();
            check(0, &expected(frames)[..frames / 1024], false);
        }
        check(90, &expected(200_000)[90..195], false);
        session.update(|manifest| manifest.state = SessionState::Done).unwrap();
        // 200,000 frames are 195 peaks and a third.
        check(190, &expected(200_000)[190..], true);
        check(500, &[], true);
        assert!(matches!(peaks(&session, "drums", 0), Err(SessionError::StemUnknown { .. })));
    }
}
