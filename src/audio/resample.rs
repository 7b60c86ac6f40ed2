//! Resampling between any two sample rates from 8 to 192 kHz, with rubato.
//!
//! The spectrum of each block is truncated or zero-padded and filtered, and the overlapping results
//! are added (rubato's `Fft`). The output of a block depends only on it and the previous block, which
//! makes [`Resampler::resume`] exact.
//!
//! Between 44.1 kHz and rates from 8 to 192 kHz, tones up to 97 % of the lower Nyquist frequency are
//! preserved with 106 dB SNR, and those above it are attenuated by 138 dB (`tests/it/audio/resample.rs`).

use rubato::audioadapter_buffers::direct::SequentialSliceOfSlices;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use super::{Frames, Hertz, Stereo};

/// Fewest frames of a block, on the side with the lower rate. The filter's transition band is 14 bins
/// of a block's spectrum wide, so that 99 % of it pass; a block lasts 46 ms at 44.1 kHz.
const BLOCK_FRAMES: u32 = 2048;

/// Why a resampler cannot be created.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResampleError {
    /// One of the rates is out of range.
    #[error(
        "{0} cannot be resampled: a rate must be {lowest} to {highest}",
        lowest = Hertz::LOWEST,
        highest = Hertz::HIGHEST
    )]
    UnsupportedRate(Hertz),
    /// The context to resume from has another length than [`Resampler::context_frames`].
    #[error("resuming takes {wanted} frames of context, but {found} were given")]
    WrongContext {
        /// Frames needed.
        wanted: Frames,
        /// Frames given.
        found: Frames,
    },
}

/// Changes the sample rate of a stream.
///
/// The output has no delay and is [`Frames::resampled`] frames long. It is bit-identical however the
/// input is cut into pieces. At equal rates it is the input.
pub struct Resampler {
    from: Hertz,
    to: Hertz,
    consumed: Frames,
    produced: Frames,
    /// The last complete block of input; empty before the first.
    last: Stereo,
    /// The input behind it, less than a block.
    pending: Stereo,
    /// `None` at equal rates.
    inner: Option<BlockResampler>,
}

impl Resampler {
    /// Starts at the beginning of a stream.
    ///
    /// # Errors
    /// [`ResampleError::UnsupportedRate`].
    pub fn new(from: Hertz, to: Hertz) -> Result<Resampler, ResampleError> {
        Resampler::resume(from, to, Frames::ZERO, &Stereo::new())
    }

    /// Continues a stream at frame `consumed` of the input, bit-identical to an uninterrupted
    /// [`Resampler`]. `context` holds the [`context_frames`](Resampler::context_frames) frames right
    /// before that frame.
    ///
    /// A caller that can read the input again stores only [`consumed`](Resampler::consumed), others
    /// also [`context`](Resampler::context). The next output frame is number
    /// [`produced`](Resampler::produced).
    ///
    /// # Errors
    /// [`ResampleError`].
    pub fn resume(
        from: Hertz,
        to: Hertz,
        consumed: Frames,
        context: &Stereo,
    ) -> Result<Resampler, ResampleError> {
        let wanted = Resampler::context_frames(from, to, consumed)?;
        if context.frames() != wanted {
            return Err(ResampleError::WrongContext { wanted, found: context.frames() });
        }
        let mut pending = context.clone();
        let Some(mut inner) = BlockResampler::new(from, to) else {
            let (last, produced) = (Stereo::new(), consumed);
            return Ok(Resampler { from, to, consumed, produced, last, pending, inner: None });
        };
        let whole = if context.len() < inner.block_in { 0 } else { inner.block_in };
        let last = pending.take_front(whole);
        if !last.is_empty() {
            // The output of this block was returned before; only the state that it leaves is needed.
            inner.run(&last);
        }
        inner.blocks = consumed.0 / inner.block_in as u64;
        let produced = inner.produced();
        Ok(Resampler { from, to, consumed, produced, last, pending, inner: Some(inner) })
    }

    /// Frames of input in front of frame `consumed` that are needed to resume there: less than two
    /// blocks, which are at most 4,160 frames between the usual rates, and 2 to 4 seconds between
    /// rates without a common factor.
    ///
    /// # Errors
    /// [`ResampleError::UnsupportedRate`].
    pub fn context_frames(
        from: Hertz,
        to: Hertz,
        consumed: Frames,
    ) -> Result<Frames, ResampleError> {
        if let Some(&rate) = [from, to].iter().find(|rate| !rate.is_supported()) {
            return Err(ResampleError::UnsupportedRate(rate));
        }
        if from == to {
            return Ok(Frames::ZERO);
        }
        let block = block_frames(from, to).0 as u64;
        let unfinished = consumed.0 % block;
        Ok(Frames(if consumed.0 < block { unfinished } else { block + unfinished }))
    }

    /// The first output frame of a stream that depends on no input in front of frame `start`.
    pub fn first_independent(from: Hertz, to: Hertz, start: Frames) -> Frames {
        if from == to || start == Frames::ZERO {
            return start;
        }
        let (block_in, block_out) = block_frames(from, to);
        // The output of a block depends on the previous block, too.
        let blocks = start.0.div_ceil(block_in as u64) + 1;
        produced(blocks, block_out)
    }

    /// Consumes input and appends the output that is final to `out`.
    pub fn push(&mut self, input: &Stereo, out: &mut Stereo) {
        self.consumed += input.frames();
        let Some(inner) = &mut self.inner else {
            self.produced += input.frames();
            return out.extend(input);
        };
        let mut at = 0;
        while at < input.len() {
            let end = input.len().min(at + inner.block_in - self.pending.len());
            self.pending.extend(&input.slice(at..end));
            at = end;
            if self.pending.len() == inner.block_in {
                self.last = std::mem::take(&mut self.pending);
                let output = inner.run(&self.last);
                // The filter's delay precedes the first output.
                let new = inner.produced() - self.produced;
                out.extend(&output.slice(output.len() - new.as_len()..output.len()));
                self.produced = inner.produced();
            }
        }
    }

    /// Ends the stream and appends the rest of the output to `out`.
    pub fn finish(mut self, out: &mut Stereo) {
        let missing = self.consumed.resampled(self.from, self.to) - self.produced;
        let block = self.inner.as_ref().map_or(0, |inner| inner.block_in);
        // Silence flushes the filter.
        let mut rest = Stereo::new();
        while rest.frames() < missing {
            self.push(&Stereo::zeros(block - self.pending.len()), &mut rest);
        }
        rest.resize(missing.as_len());
        out.extend(&rest);
    }

    /// Input frames consumed so far.
    pub fn consumed(&self) -> Frames {
        self.consumed
    }

    /// Output frames produced so far.
    pub fn produced(&self) -> Frames {
        self.produced
    }

    /// The context to [resume](Resampler::resume) from here.
    pub fn context(&self) -> Stereo {
        let mut context = self.last.clone();
        context.extend(&self.pending);
        context
    }
}

/// Frames of a block of input and of output: multiples of the reduced ratio of the rates. They are
/// even, so that the delay, half a block, is a whole number of frames on both sides.
fn block_frames(from: Hertz, to: Hertz) -> (usize, usize) {
    let common = greatest_common_divisor(from.0, to.0);
    let (step_in, step_out) = (from.0 / common, to.0 / common);
    let steps = BLOCK_FRAMES.div_ceil(step_in.min(step_out)).next_multiple_of(2);
    ((step_in * steps) as usize, (step_out * steps) as usize)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Resamples whole blocks with rubato.
struct BlockResampler {
    fft: Fft<f32>,
    block_in: usize,
    block_out: usize,
    /// Blocks consumed.
    blocks: u64,
}

impl BlockResampler {
    /// `None` at equal rates.
    fn new(from: Hertz, to: Hertz) -> Option<BlockResampler> {
        if from == to {
            return None;
        }
        let (block_in, block_out) = block_frames(from, to);
        let fft = Fft::new_custom(
            from.0 as usize,
            to.0 as usize,
            block_in,
            1,
            Stereo::CHANNELS,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .expect("rates and block are above zero");
        Some(BlockResampler { fft, block_in, block_out, blocks: 0 })
    }

    /// The output of one block of input, one block long and delayed by half a block.
    fn run(&mut self, block: &Stereo) -> Stereo {
        let mut resampled = Stereo::zeros(self.block_out);
        let planes = block.planes();
        let input = SequentialSliceOfSlices::new(&planes, Stereo::CHANNELS, self.block_in)
            .expect("a block has the length of the planes");
        let mut planes = resampled.planes_mut();
        let mut output =
            SequentialSliceOfSlices::new_mut(&mut planes, Stereo::CHANNELS, self.block_out)
                .expect("a block has the length of the planes");
        self.fft
            .process_into_buffer(&input, &mut output, None)
            .expect("the block sizes are those of the resampler");
        self.blocks += 1;
        resampled
    }

    fn produced(&self) -> Frames {
        produced(self.blocks, self.block_out)
    }
}

/// Output frames that are final after so many blocks: all but the filter's delay.
fn produced(blocks: u64, block_out: usize) -> Frames {
    let delay = block_out as u64 / 2;
    Frames((blocks * block_out as u64).saturating_sub(delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_block(from: u32, to: u32, expected: (usize, usize)) {
        assert_eq!(block_frames(Hertz(from), Hertz(to)), expected);
    }

    #[test]
    fn blocks_are_even_multiples_of_the_ratio() {
        check_block(48_000, 44_100, (2240, 2058));
        check_block(44_100, 48_000, (2058, 2240));
        check_block(192_000, 44_100, (8960, 2058));
        check_block(8_000, 44_100, (2080, 11_466));
        check_block(22_050, 44_100, (2048, 4096));
        check_block(44_057, 44_100, (88_114, 88_200));
    }

    #[test]
    fn unsupported_rates_are_rejected() {
        let error = Resampler::new(Hertz(44_100), Hertz(0)).err().unwrap();
        assert_eq!(error, ResampleError::UnsupportedRate(Hertz(0)));
        assert_eq!(
            error.to_string(),
            "0 Hz cannot be resampled: a rate must be 8000 Hz to 192000 Hz"
        );
        assert!(Resampler::new(Hertz(192_001), Hertz(44_100)).is_err());
    }

    #[test]
    fn a_context_of_wrong_length_is_rejected() {
        let (from, to) = (Hertz(48_000), Hertz(44_100));
        let resumed = Resampler::resume(from, to, Frames(5000), &Stereo::zeros(2759));
        let error = resumed.err().unwrap();
        assert_eq!(
            error,
            ResampleError::WrongContext { wanted: Frames(2760), found: Frames(2759) }
        );
    }
}
