//! Waveform peaks: the smallest and the largest sample of every 1024 frames of a stem.
//!
//! They are cached in a file that grows with the stem, so each frame is read once. Committed frames never change, so
//! neither do their peaks. Each peak has a CRC32C of itself, its place, its stem and its session: where the file is damaged, the
//! peaks are found again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

use super::Session;
use super::SessionError;
use crate::audio::{Encoding, Frames, StemName};
use crate::session::checksums::extend;
use crate::session::stem_reader::{StemFormat, StemReader};

/// Frames per peak.
pub const FRAMES_PER_PEAK: Frames = Frames(1024);

/// Limit of peaks per call, which also bounds the work: 25 minutes at 44.1 kHz.
pub const MAX_PEAKS: u64 = 65_536;

/// Bytes of a peak in the file: two little-endian f32, and their checksum.
const PEAK_BYTES: u64 = 8 + 4;

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
    let ended = session.durable_state().is_ended();
    let frames = session.durable_progress().finished;
    let available =
        if ended { frames.0.div_ceil(FRAMES_PER_PEAK.0) } else { frames.0 / FRAMES_PER_PEAK.0 };
    let end = from.saturating_add(MAX_PEAKS).min(available);
    if from >= end {
        return Ok(Peaks { peaks: Vec::new(), complete: ended && from >= available });
    }
    let mut file = PeakFile::open(session, reader.stem())?;
    let mut peaks = file.read(from..end)?;
    let missing = from + peaks.len() as u64;
    if missing < end {
        // Those in front of them, too, as far as they have not been found yet.
        let known = file.len()?.min(missing);
        reader.seek(Frames(known * FRAMES_PER_PEAK.0));
        let found = find(&mut reader, &mut file, known, end);
        session.measure();
        found?;
        peaks = file.read(from..end)?;
    }
    if peaks.len() as u64 != end - from {
        return Err(io::Error::other("the peaks differ from what was just written").into());
    }
    Ok(Peaks { peaks, complete: ended && end == available })
}

/// The file of a stem's peaks.
struct PeakFile {
    file: File,
    /// The checksum of the names of the session and the stem.
    seed: u32,
}

impl PeakFile {
    fn open(session: &Session, stem: &StemName) -> io::Result<PeakFile> {
        let path = session.layout().peaks(stem);
        if let Some(folder) = path.parent() {
            // Not the parents: a session that is being removed must not reappear.
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        // Without checksums. It is not there, unless 0.1.0 has written it.
        let _ = fs::remove_file(session.layout().unchecked_peaks(stem));
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let seed = extend(extend(0, session.id().to_string().as_bytes()), stem.as_str().as_bytes());
        Ok(PeakFile { file, seed })
    }

    /// The number of peaks. A partial one that a crash left does not count.
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len() / PEAK_BYTES)
    }

    /// The peaks of these indices, up to the first that is missing or damaged.
    fn read(&mut self, indices: Range<u64>) -> io::Result<Vec<[f32; 2]>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(indices.start * PEAK_BYTES))?;
        let most = (indices.end - indices.start) * PEAK_BYTES;
        (&self.file).take(most).read_to_end(&mut bytes)?;
        let entries = indices.zip(bytes.chunks_exact(PEAK_BYTES as usize));
        let peak = |(index, entry): (u64, &[u8])| {
            let (peak, checksum) = entry.split_at(8);
            (checksum == self.checksum(index, peak)).then(|| {
                let mut samples = Encoding::F32Le.read(peak);
                [(); 2].map(|()| samples.next().unwrap_or_default())
            })
        };
        Ok(entries.map_while(peak).collect())
    }

    /// Writes peaks from an index on.
    fn write(&mut self, first: u64, peaks: impl Iterator<Item = [f32; 2]>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (index, peak) in (first..).zip(peaks) {
            let mut entry = Vec::new();
            Encoding::F32Le.write(peak.into_iter(), &mut entry);
            let checksum = self.checksum(index, &entry);
            bytes.extend(entry);
            bytes.extend(checksum);
        }
        self.file.seek(SeekFrom::Start(first * PEAK_BYTES))?;
        self.file.write_all(&bytes)
    }

    fn checksum(&self, index: u64, peak: &[u8]) -> [u8; 4] {
        extend(extend(self.seed, &index.to_le_bytes()), peak).to_le_bytes()
    }
}

/// Finds the peaks from index `first`, where the reader is, to before `end`.
fn find(reader: &mut StemReader, file: &mut PeakFile, first: u64, end: u64) -> io::Result<()> {
    let mut index = first;
    let last = Frames(end * FRAMES_PER_PEAK.0);
    while reader.position() < last {
        let most = last.saturating_sub(reader.position()).min(FRAMES_AT_ONCE);
        let block = reader.read(most)?;
        if block.frames == Frames::ZERO {
            // The stem ends within the last peak.
            return Ok(());
        }
        let samples: Vec<f32> = Encoding::F32Le.read(&block.bytes).collect();
        let peaks = samples.chunks(2 * FRAMES_PER_PEAK.0 as usize).map(extremes);
        file.write(index, peaks)?;
        index += block.frames.0.div_ceil(FRAMES_PER_PEAK.0);
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

    /// A session with a stem of so many frames, and its store.
    fn session(folder: &std::path::Path, frames: usize) -> (Store, Arc<Session>) {
        let store = Store::open(folder).unwrap();
        let plan = Plan { segment: Frames(8), overlap: 0.0, ..Plan::for_test(&["vocals", "bass"]) };
        let (session, _) = store.create(crate::session::Settings::default(), plan).unwrap();
        for (stem, gain) in [("vocals", 1.0), ("bass", 0.5)] {
            let path = session.layout().growing_stem(&stem.parse().unwrap());
            let mut wav = GrowingWav::create(&path, Encoding::F32Le, Hertz(44_100)).unwrap();
            let mut audio = stereo(frames);
            audio.scale(gain);
            wav.append(&audio).unwrap();
        }
        session.update(|manifest| manifest.commit.stems = Frames(frames as u64)).unwrap();
        session.update(|manifest| manifest.state = SessionState::Done).unwrap();
        (store, session)
    }

    #[test]
    fn damaged_peaks_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let (_store, session) = session(folder.path(), 200_000);
        let [vocals, bass] =
            ["vocals", "bass"].map(|stem| session.layout().peaks(&stem.parse().unwrap()));
        let right = || [&vocals, &bass].map(|path| fs::read(path).unwrap());
        let all = |stem| peaks(&session, stem, 0).unwrap();
        let expected = all("vocals");
        all("bass");
        let whole = right();
        let damages: [&dyn Fn(); 5] = [
            &|| {
                let mut bytes = whole[0].clone();
                bytes[100 * PEAK_BYTES as usize + 3] ^= 1;
                fs::write(&vocals, bytes).unwrap();
            },
            &|| fs::write(&vocals, &whole[0][..1000]).unwrap(),
            &|| fs::write(&vocals, &whole[1]).unwrap(),
            &|| fs::write(&vocals, &whole[0][PEAK_BYTES as usize..]).unwrap(),
            &|| {
                // As 0.1.0 wrote them.
                fs::remove_file(&vocals).unwrap();
                fs::write(vocals.with_extension(""), [9; 195 * 8]).unwrap();
            },
        ];
        for damage in damages {
            damage();
            // The damage in front of what is asked for stays until it is.
            assert_eq!(peaks(&session, "vocals", 150).unwrap().peaks, expected.peaks[150..]);
            assert_eq!(all("vocals"), expected);
            assert!(right() == whole);
        }
        assert!(!vocals.with_extension("").exists());
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
