//! The overlap state: what a session needs, beside its stems, to continue after a commit. Stored as `carry.<segments>`.
//!
//! The file is one line of JSON with the lengths, followed by F32LE samples: the weights; for each stem the sums, left then
//! right; for each stem the context of its resampler; and, while the previous engine fades out, the shares and the frames
//! of each stem.

use std::io::{self, BufRead, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audio::{Encoding, Frames, Stereo};
use crate::dsp::segments::Blend;
use crate::dsp::{FadeOut, OverlapAdd};
use crate::files::replace;
use crate::session::checksums::{Damage, extend, missing_is_damage};

/// The frames that are not final after a commit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OverlapState {
    /// The weighted sums that are not final.
    pub(super) overlap: OverlapAdd,
    /// The remaining frames of the previous engine, from the same position.
    pub(super) fade: FadeOut,
    /// Context of each stem's resampler, at the model's rate; empty without resampling.
    pub(super) tails: Vec<Stereo>,
}

#[derive(Serialize, Deserialize)]
struct StateHeader {
    format: u32,
    position: Frames,
    overlap: usize,
    stems: usize,
    tail: usize,
    #[serde(default)]
    fade: usize,
}

const FORMAT: u32 = 1;

impl OverlapState {
    /// The state before the first commit.
    pub(super) fn none(stems: usize, blend: Blend) -> OverlapState {
        OverlapState {
            overlap: OverlapAdd::new(stems, Frames::ZERO, blend),
            fade: FadeOut::none(stems, Frames::ZERO),
            tails: Vec::new(),
        }
    }

    /// Atomically replaces the file, synced to disk. Returns its CRC32C.
    pub(super) fn write(&self, path: &Path) -> io::Result<u32> {
        let header = StateHeader {
            format: FORMAT,
            position: self.overlap.position(),
            overlap: self.overlap.weights().len(),
            stems: self.overlap.sums().len(),
            tail: self.tails.first().map_or(0, Stereo::len),
            fade: self.fade.shares().len(),
        };
        let mut bytes = serde_json::to_vec(&header).map_err(io::Error::other)?;
        bytes.push(b'\n');
        let mut add = |samples: &[f32]| {
            Encoding::F32Le.write(samples.iter().copied(), &mut bytes);
        };
        add(self.overlap.weights());
        for stereo in self.overlap.sums().iter().chain(&self.tails) {
            stereo.planes().into_iter().for_each(&mut add);
        }
        add(self.fade.shares());
        for stereo in self.fade.stems() {
            stereo.planes().into_iter().for_each(&mut add);
        }
        replace(path, &bytes)?;
        Ok(extend(0, &bytes))
    }

    /// Reads a file of [`OverlapState::write`], whose CRC32C is `checksum`, if it is known. `blend` is that of the engine
    /// that computed it.
    ///
    /// # Errors
    /// [`Damage`] if it is missing, or another file; `InvalidData` if that is found without a checksum.
    pub(super) fn read(
        path: &Path,
        blend: Blend,
        checksum: Option<u32>,
    ) -> io::Result<OverlapState> {
        let invalid = || {
            let text = format!("{} is not a valid overlap state", path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let bytes = std::fs::read(path).map_err(missing_is_damage(path))?;
        if checksum.is_some_and(|checksum| checksum != extend(0, &bytes)) {
            return Err(Damage::of(path).into());
        }
        let mut reader = &bytes[..];
        let mut line = Vec::new();
        reader.by_ref().take(4096).read_until(b'\n', &mut line)?;
        let header: StateHeader = serde_json::from_slice(&line).map_err(|_| invalid())?;
        if header.format != FORMAT {
            return Err(invalid());
        }
        let mut samples = |count: usize| -> io::Result<Vec<f32>> {
            let mut bytes = Vec::new();
            let wanted = count as u64 * 4;
            reader.by_ref().take(wanted).read_to_end(&mut bytes)?;
            let whole = bytes.len() as u64 == wanted;
            if whole { Ok(Encoding::F32Le.read(&bytes).collect()) } else { Err(invalid()) }
        };
        let weights = samples(header.overlap)?;
        let sums = stems(header.stems, header.overlap, &mut samples)?;
        let tails = stems(header.stems, header.tail, &mut samples)?;
        let shares = samples(header.fade)?;
        let fading = stems(header.stems, header.fade, &mut samples)?;
        let overlap = OverlapAdd::restore(header.position, weights, sums, blend);
        let overlap = overlap.ok_or_else(invalid)?;
        let fade = FadeOut::restore(header.position, shares, fading).ok_or_else(invalid)?;
        Ok(OverlapState { overlap, fade, tails })
    }
}

/// Reads `count` stems of `frames` frames each.
fn stems(
    count: usize,
    frames: usize,
    samples: &mut impl FnMut(usize) -> io::Result<Vec<f32>>,
) -> io::Result<Vec<Stereo>> {
    let mut stem = || -> io::Result<Stereo> {
        let (left, right) = (samples(frames)?, samples(frames)?);
        Ok(Stereo::from_planes(left, right).unwrap_or_default())
    };
    (0..count).map(|_| stem()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_state_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("carry.3");
        let answer = |k: f32| Stereo::from_planes(vec![k, 0.1, 0.3], vec![-k, 1e-30, 7.0]).unwrap();
        let mut overlap = OverlapAdd::new(2, Frames(5), Blend::Sum);
        overlap.add(Frames(6), &[0.1, 0.7, 0.3], &[answer(1.0), answer(2.0)]);
        let fading =
            FadeOut::restore(Frames(5), vec![0.9, 0.5, 0.1], vec![answer(5.0), answer(6.0)]);
        for (tails, fade) in [
            (vec![Stereo::new(); 2], FadeOut::none(2, Frames(5))),
            (vec![answer(3.0), answer(4.0)], fading.unwrap()),
        ] {
            let state = OverlapState { overlap: overlap.clone(), fade, tails };
            let checksum = state.write(&path).unwrap();
            let read = OverlapState::read(&path, Blend::Sum, Some(checksum)).unwrap();
            assert_eq!(read, state);
            let error = OverlapState::read(&path, Blend::Sum, Some(!checksum)).unwrap_err();
            assert!(Damage::in_error(&error).is_some(), "{error}");
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(
            OverlapState::read(&path, Blend::Sum, None).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(
            OverlapState::read(&path, Blend::Sum, None).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
