//! The WAV files of a session's stems.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::audio::resample::Resampler;
use crate::audio::wav::{GrowingWav, HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, Frames, Hertz, StemName, Stereo};
use crate::model::Sha256Hash;
use crate::separation::silence_gate::SilenceGate;
use crate::session::checksums::{BlockSums, ChecksumFile, Checksums, missing_is_damage};
use crate::session::{Layout, Manifest};

/// The stem files of a session, which grow together.
pub(super) struct StemFiles {
    stems: Vec<StemFile>,
    checksums: ChecksumFile,
    /// `None` if silent passages of the upload are what the engine makes of them.
    gate: Option<SilenceGate>,
    layout: Layout,
}

struct StemFile {
    name: StemName,
    wav: GrowingWav,
    /// `None` once the last frames are written.
    resampler: Option<Resampler>,
    /// Committed frames that are still to be made again.
    repeated: Frames,
    hash: Sha256,
    sums: BlockSums,
    peak: f32,
}

/// Peak and hash of a stem, for the manifest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StemRecord {
    pub(super) peak: f32,
    pub(super) sha256: Option<String>,
}

impl StemFiles {
    /// Opens the files, of sample rate `rate`, after their committed frames. `consumed` frames at the model's rate have been
    /// consumed; `tails` are the contexts of the resamplers. Where more is committed than these frames make, as much of what
    /// is appended is dropped.
    ///
    /// # Errors
    /// I/O errors from the session directory; [`Damage`](crate::session::checksums::Damage) if the stems differ from the
    /// manifest's checksums; `InvalidData` if a file or a context does not match the manifest.
    pub(super) fn open(
        layout: &Layout,
        manifest: &Manifest,
        rate: Hertz,
        consumed: Frames,
        tails: &[Stereo],
    ) -> io::Result<StemFiles> {
        let frames = manifest.commit.stems;
        let none = Stereo::new();
        let open = |(index, stem): (usize, &crate::session::manifest::Stem)| {
            let path = layout.growing_stem(&stem.name);
            let last = layout.stem(&stem.name);
            // Left by a crash after the last rename and before the last manifest.
            if last.exists() {
                fs::rename(&last, &path)?;
            }
            let wav = if frames == Frames::ZERO {
                // A crash before the first commit may have left a file.
                remove_if_there(&path)?;
                GrowingWav::create(&path, Encoding::F32Le, rate)?
            } else {
                GrowingWav::resume(&path, Encoding::F32Le, rate, frames)
                    .map_err(missing_is_damage(&path))?
            };
            let tail = tails.get(index).unwrap_or(&none);
            let resampler = Resampler::resume(manifest.plan.model_rate, rate, consumed, tail)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let (hash, sums) = sums_of(&path, frames)?;
            let repeated = frames.saturating_sub(resampler.produced());
            let (name, resampler) = (stem.name.clone(), Some(resampler));
            Ok(StemFile { name, wav, resampler, repeated, hash, sums, peak: stem.peak })
        };
        let stems = manifest.stems.iter().enumerate().map(open);
        let mut stems = stems.collect::<io::Result<Vec<StemFile>>>()?;
        let committed = manifest.commit.checksums.as_ref();
        let checksums =
            ChecksumFile::resume(&layout.checksums(), &mut sums_in(&mut stems), committed)?;
        let gate = manifest.plan.silent_passages;
        let gate = gate.then(|| SilenceGate::new(layout.silence(), rate));
        Ok(StemFiles { stems, checksums, gate, layout: layout.clone() })
    }

    /// Continues with the first `known` bytes of the file of silent passages.
    pub(super) fn set_known_silence(&mut self, known: u64) {
        if let Some(gate) = &mut self.gate {
            gate.set_known(known);
        }
    }

    /// Appends final frames, at the model's rate, to each stem. Returns the new length of the files.
    pub(super) fn append(&mut self, finals: &[Stereo]) -> io::Result<Frames> {
        for (stem, audio) in self.stems.iter_mut().zip(finals) {
            let mut resampled = Stereo::new();
            if let Some(resampler) = &mut stem.resampler {
                resampler.push(audio, &mut resampled);
            }
            stem.drop_committed(&mut resampled);
            stem.write(resampled, self.gate.as_mut())?;
        }
        Ok(self.frames())
    }

    /// Appends the last frames up to `total`. The files are not renamed yet.
    pub(super) fn end(&mut self, total: Frames) -> io::Result<Frames> {
        for stem in &mut self.stems {
            let mut last = Stereo::new();
            if let Some(resampler) = stem.resampler.take() {
                resampler.finish(&mut last);
            }
            stem.drop_committed(&mut last);
            // Resampling to the model's rate rounds up, so there may be one frame more than in the source.
            last.resize(total.saturating_sub(stem.wav.frames()).as_len());
            stem.write(last, self.gate.as_mut())?;
        }
        Ok(self.frames())
    }

    /// Syncs all files to disk, and then their checksums, which are returned.
    pub(super) fn sync(&mut self) -> io::Result<Checksums> {
        self.gate.as_mut().map_or(Ok(()), SilenceGate::sync)?;
        self.stems.iter().try_for_each(|stem| stem.wav.sync())?;
        self.checksums.append(&mut sums_in(&mut self.stems))
    }

    /// The contexts that the resamplers need to continue from here.
    pub(super) fn tails(&self) -> Vec<Stereo> {
        let context = |stem: &StemFile| stem.resampler.as_ref().map(Resampler::context);
        self.stems.iter().map(|stem| context(stem).unwrap_or_default()).collect()
    }

    /// Peaks so far.
    pub(super) fn records(&self) -> Vec<StemRecord> {
        self.stems.iter().map(|stem| StemRecord { peak: stem.peak, sha256: None }).collect()
    }

    /// Writes the final headers and renames the files to their final names. Returns peaks and hashes. The frames are synced.
    pub(super) fn publish(self) -> io::Result<Vec<StemRecord>> {
        let publish = |stem: StemFile| {
            stem.wav.finish()?;
            fs::rename(self.layout.growing_stem(&stem.name), self.layout.stem(&stem.name))?;
            let hash = Sha256Hash(stem.hash.finalize().into()).to_string();
            Ok(StemRecord { peak: stem.peak, sha256: Some(hash) })
        };
        let records = self.stems.into_iter().map(publish).collect::<io::Result<_>>()?;
        crate::files::sync_directory(&self.layout.stems())?;
        Ok(records)
    }

    fn frames(&self) -> Frames {
        self.stems.first().map_or(Frames::ZERO, |stem| stem.wav.frames())
    }
}

impl StemFile {
    /// Drops the frames at the front that are committed already.
    fn drop_committed(&mut self, audio: &mut Stereo) {
        let dropped = audio.take_front(self.repeated.min(audio.frames()).as_len());
        self.repeated = self.repeated - dropped.frames();
    }

    fn write(&mut self, mut audio: Stereo, gate: Option<&mut SilenceGate>) -> io::Result<()> {
        if let Some(gate) = gate {
            gate.apply(self.wav.frames(), &mut audio)?;
        }
        let samples = audio.planes().into_iter().flatten();
        self.peak = samples.fold(self.peak, |peak, sample| peak.max(sample.abs()));
        let mut bytes = Vec::with_capacity(audio.len() * 8);
        Encoding::F32Le.write_frames(&audio, &mut bytes);
        self.hash.update(&bytes);
        self.sums.add(&bytes);
        self.wav.append_encoded(&bytes)
    }
}

fn sums_in(stems: &mut [StemFile]) -> Vec<&mut BlockSums> {
    stems.iter_mut().map(|stem| &mut stem.sums).collect()
}

/// The hash and the checksums of the first `frames` frames of a growing stem, to be continued.
fn sums_of(path: &Path, frames: Frames) -> io::Result<(Sha256, BlockSums)> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(HEADER_BYTES))?;
    let mut samples = BufReader::new(file.take(frames.0 * frame_bytes(Encoding::F32Le)));
    let (mut hash, mut sums) = (Sha256::new(), BlockSums::default());
    loop {
        let bytes = samples.fill_buf()?;
        if bytes.is_empty() {
            return Ok((hash, sums));
        }
        hash.update(bytes);
        sums.add(bytes);
        let count = bytes.len();
        samples.consume(count);
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
