//! From a model's answers to the files that were asked for.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::audio::resample::Resampler;
use crate::audio::wav::{GrowingWav, HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, Frames, Hertz, StemName, Stereo};
use crate::session::settings::Accompaniment;
use crate::session::{Layout, Manifest};

/// How a wanted stem is made of the model's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pick {
    /// It is one of them.
    Own(usize),
    /// It is the sum of these.
    Sum(Vec<usize>),
    /// It is the mixture without this one.
    Minus(usize),
}

/// How each of `wanted` is made of a model's stems; `None` where one cannot be.
pub(super) fn picks(
    wanted: &[StemName],
    own: &[StemName],
    accompaniment: Accompaniment,
) -> Option<Vec<Pick>> {
    let index_of = |name: &str| own.iter().position(|stem| stem.as_str() == name);
    let vocals = index_of(StemName::VOCALS);
    let pick = |name: &StemName| {
        let is_accompaniment = name.as_str() == StemName::ACCOMPANIMENT;
        if let (true, Accompaniment::Minus, Some(vocals)) =
            (is_accompaniment, accompaniment, vocals)
        {
            return Some(Pick::Minus(vocals));
        }
        if let Some(index) = index_of(name.as_str()) {
            return Some(Pick::Own(index));
        }
        let vocals = vocals.filter(|_| is_accompaniment)?;
        Some(Pick::Sum((0..own.len()).filter(|&index| index != vocals).collect()))
    };
    wanted.iter().map(pick).collect()
}

/// Which of a model's `count` stems are needed for `picks`.
pub(super) fn wanted(picks: &[Pick], count: usize) -> Vec<bool> {
    let mut wanted = vec![false; count];
    picks.iter().flat_map(Pick::of).for_each(|&index| wanted[index] = true);
    wanted
}

/// Whether one of `picks` is made of the mixture.
pub(super) fn needs_mix(picks: &[Pick]) -> bool {
    picks.iter().any(|pick| matches!(pick, Pick::Minus(_)))
}

impl Pick {
    /// The model's stems that it is made of.
    fn of(&self) -> &[usize] {
        match self {
            Pick::Own(index) | Pick::Minus(index) => std::slice::from_ref(index),
            Pick::Sum(indexes) => indexes,
        }
    }
}

/// The wanted stems of one answer to `mix`, which may be empty where it is not needed.
pub(super) fn pick(picks: &[Pick], mut answer: Vec<Stereo>, mix: &Stereo) -> Vec<Stereo> {
    let mut stems: Vec<Stereo> = picks.iter().map(|pick| combine(pick, &answer, mix)).collect();
    // What is left are stems as they are, which are moved: they are the bulk.
    for (at, pick) in picks.iter().enumerate() {
        let Pick::Own(index) = pick else { continue };
        stems[at] = match picks[..at].iter().position(|before| before == pick) {
            Some(before) => stems[before].clone(),
            None => answer.get_mut(*index).map(std::mem::take).unwrap_or_default(),
        };
    }
    stems
}

/// A stem that is made of others; nothing for one that is one of them.
fn combine(pick: &Pick, answer: &[Stereo], mix: &Stereo) -> Stereo {
    let own = |index: usize| answer.get(index).cloned().unwrap_or_default();
    match pick {
        Pick::Own(_) => Stereo::new(),
        Pick::Sum(indexes) => {
            let others = indexes[1..].iter().filter_map(|&index| answer.get(index));
            others.fold(own(indexes[0]), |total, other| combined(total, other, |a, b| a + b))
        }
        Pick::Minus(index) => combined(mix.clone(), &own(*index), |a, b| a - b),
    }
}

fn combined(mut one: Stereo, other: &Stereo, operation: impl Fn(f32, f32) -> f32) -> Stereo {
    for (plane, other) in one.planes_mut().into_iter().zip(other.planes()) {
        for (sample, other) in plane.iter_mut().zip(other) {
            *sample = operation(*sample, *other);
        }
    }
    one
}

/// The files of a session's stems, growing together.
pub(super) struct StemFiles {
    stems: Vec<StemFile>,
    layout: Layout,
}

struct StemFile {
    name: StemName,
    wav: GrowingWav,
    /// Gone when the stems have been ended.
    resampler: Option<Resampler>,
    hash: Sha256,
    peak: f32,
}

/// What is known of a stem.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StemRecord {
    pub(super) peak: f32,
    pub(super) sha256: Option<String>,
}

impl StemFiles {
    /// Opens the files after their committed frames, which are of `rate`. `consumed` frames of the
    /// model's have gone into them, and `tails` are what the resamplers have to see again.
    ///
    /// # Errors
    /// What the disk says; `InvalidData` where a file or a tail is not what the manifest says.
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
            // A crash between the last rename and the last manifest.
            if last.exists() {
                fs::rename(&last, &path)?;
            }
            let wav = if frames == Frames::ZERO {
                // A crash before the first commit may have left one.
                remove_if_there(&path)?;
                GrowingWav::create(&path, Encoding::F32Le, rate)?
            } else {
                GrowingWav::resume(&path, Encoding::F32Le, rate, frames)?
            };
            let tail = tails.get(index).unwrap_or(&none);
            let resampler = Resampler::resume(manifest.plan.model_rate, rate, consumed, tail)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let hash = hash_of(&path, frames)?;
            let (name, resampler) = (stem.name.clone(), Some(resampler));
            Ok(StemFile { name, wav, resampler, hash, peak: stem.peak })
        };
        let stems = manifest.stems.iter().enumerate().map(open).collect::<io::Result<_>>()?;
        Ok(StemFiles { stems, layout: layout.clone() })
    }

    /// Adds final frames at the model's rate to each stem; answers the frames that the files then have.
    pub(super) fn append(&mut self, finals: &[Stereo]) -> io::Result<Frames> {
        for (stem, audio) in self.stems.iter_mut().zip(finals) {
            let mut resampled = Stereo::new();
            if let Some(resampler) = &mut stem.resampler {
                resampler.push(audio, &mut resampled);
            }
            stem.write(&resampled)?;
        }
        Ok(self.frames())
    }

    /// Ends the stems, which have `total` frames then; the files are not renamed yet.
    pub(super) fn end(&mut self, total: Frames) -> io::Result<Frames> {
        for stem in &mut self.stems {
            let mut rest = Stereo::new();
            if let Some(resampler) = stem.resampler.take() {
                resampler.finish(&mut rest);
            }
            // Rounding up on the way to the model's rate may have made a frame more than the source
            // has.
            rest.resize(total.saturating_sub(stem.wav.frames()).as_len());
            stem.write(&rest)?;
        }
        Ok(self.frames())
    }

    /// Waits until everything that was added is safely on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.stems.iter().try_for_each(|stem| stem.wav.sync())
    }

    /// What the resamplers have to see again to go on from here.
    pub(super) fn tails(&self) -> Vec<Stereo> {
        let context = |stem: &StemFile| stem.resampler.as_ref().map(Resampler::context);
        self.stems.iter().map(|stem| context(stem).unwrap_or_default()).collect()
    }

    /// What is known of the stems so far.
    pub(super) fn records(&self) -> Vec<StemRecord> {
        self.stems.iter().map(|stem| StemRecord { peak: stem.peak, sha256: None }).collect()
    }

    /// Writes the final sizes, gives the files their final names, and answers what is known of them.
    pub(super) fn publish(self) -> io::Result<Vec<StemRecord>> {
        let publish = |stem: StemFile| {
            stem.wav.finish()?;
            fs::rename(self.layout.growing_stem(&stem.name), self.layout.stem(&stem.name))?;
            let hash = stem.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(StemRecord { peak: stem.peak, sha256: Some(hash) })
        };
        let records = self.stems.into_iter().map(publish).collect::<io::Result<_>>()?;
        crate::session::manifest::sync_directory(&self.layout.stems())?;
        Ok(records)
    }

    fn frames(&self) -> Frames {
        self.stems.first().map_or(Frames::ZERO, |stem| stem.wav.frames())
    }
}

impl StemFile {
    fn write(&mut self, audio: &Stereo) -> io::Result<()> {
        let samples = audio.planes().into_iter().flatten();
        self.peak = samples.fold(self.peak, |peak, sample| peak.max(sample.abs()));
        let mut bytes = Vec::with_capacity(audio.len() * 8);
        Encoding::F32Le.write_frames(audio, &mut bytes);
        self.hash.update(&bytes);
        self.wav.append_encoded(&bytes)
    }
}

/// The hash of a growing stem's first frames, to be continued.
fn hash_of(path: &Path, frames: Frames) -> io::Result<Sha256> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(HEADER_BYTES))?;
    let mut samples = BufReader::new(file.take(frames.0 * frame_bytes(Encoding::F32Le)));
    let mut hash = Sha256::new();
    loop {
        let bytes = samples.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hash);
        }
        hash.update(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<StemName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[track_caller]
    fn check(
        wanted: &[&str],
        own: &[&str],
        accompaniment: Accompaniment,
        expected: Option<&[Pick]>,
    ) {
        let found = picks(&names(wanted), &names(own), accompaniment);
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn accompaniment_is_all_but_the_vocals() {
        use Accompaniment::{Minus, Sum};
        let four = ["drums", "bass", "other", "vocals"];
        check(&["vocals", "drums"], &four, Sum, Some(&[Pick::Own(3), Pick::Own(0)]));
        check(&["accompaniment"], &four, Sum, Some(&[Pick::Sum(vec![0, 1, 2])]));
        check(&["accompaniment", "vocals"], &four, Minus, Some(&[Pick::Minus(3), Pick::Own(3)]));
        check(&["accompaniment"], &["vocals", "accompaniment"], Sum, Some(&[Pick::Own(1)]));
        check(&["accompaniment"], &["vocals", "accompaniment"], Minus, Some(&[Pick::Minus(0)]));
        check(&["accompaniment"], &["accompaniment"], Minus, Some(&[Pick::Own(0)]));
        check(&["accompaniment"], &["drums"], Sum, None);
        check(&["accompaniment"], &["drums"], Minus, None);
        check(&["piano"], &four, Minus, None);
    }

    #[test]
    fn only_what_the_picks_need_is_wanted() {
        assert_eq!(wanted(&[Pick::Own(3)], 4), [false, false, false, true]);
        assert_eq!(wanted(&[Pick::Minus(1)], 4), [false, true, false, false]);
        assert_eq!(wanted(&[Pick::Sum(vec![0, 2]), Pick::Own(2)], 4), [true, false, true, false]);
    }

    #[test]
    fn sums_and_differences_are_taken_sample_by_sample() {
        let stem = |value: f32| Stereo::from_planes(vec![value, 1.0], vec![0.0, value]).unwrap();
        let answer = [stem(1.0), stem(9.0), stem(2.0)];
        let picks = [Pick::Own(2), Pick::Sum(vec![0, 2]), Pick::Minus(1), Pick::Own(2)];
        let mut picked = pick(&picks, answer.to_vec(), &stem(4.0));
        assert_eq!((picked.remove(0), picked.pop()), (stem(2.0), Some(stem(2.0))));
        assert_eq!(picked[0], Stereo::from_planes(vec![3.0, 2.0], vec![0.0, 3.0]).unwrap());
        assert_eq!(picked[1], Stereo::from_planes(vec![-5.0, 0.0], vec![0.0, -5.0]).unwrap());
    }
}
