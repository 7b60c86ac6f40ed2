//! Any rate to any other: the one room that knows rubato.
//!
//! The spectrum of each block is cut or continued and filtered, and the results, which overlap, are
//! added up (rubato's `Fft`). What a block gives depends on itself and the one before, on nothing
//! else; this is what makes [`Resampler::resume`] exact.
//!
//! From and to 44.1 kHz at rates from 8 to 192 kHz, tones up to 97 % of the lower Nyquist frequency
//! come out as they are at the other rate within 106 dB, and those beyond it 138 dB down
//! (`tests/resample.rs`).

use rubato::audioadapter_buffers::direct::SequentialSliceOfSlices;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use super::{Frames, Hertz, Stereo};

/// The least number of frames in a block, on the side that has fewer. The filter's transition is as
/// wide as 14 of so many parts of the spectrum, so that 99 % of it pass; and a block is 46 ms at
/// 44.1 kHz.
const BLOCK_FRAMES: u32 = 2048;

/// Why there is no resampler.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResampleError {
    /// One of the rates is beyond what is resampled.
    #[error(
        "{0} cannot be resampled: a rate must be {lowest} to {highest}",
        lowest = Hertz::LOWEST,
        highest = Hertz::HIGHEST
    )]
    UnsupportedRate(Hertz),
    /// The frames to resume from are not as many as [`Resampler::context_frames`] says.
    #[error("resuming takes the {wanted} frames before, and {found} were given")]
    WrongContext {
        /// As many as are needed.
        wanted: Frames,
        /// As many as there are.
        found: Frames,
    },
}

/// Changes the rate of a stream.
///
/// The output begins where the input does, without a delay; it is [`Frames::resampled`] frames
/// long, and the same to the bit however the input is cut. At equal rates it is the input.
pub struct Resampler {
    from: Hertz,
    to: Hertz,
    consumed: Frames,
    produced: Frames,
    /// The last block that was taken in whole; empty before the first.
    last: Stereo,
    /// The frames behind it, less than a block.
    pending: Stereo,
    /// `None` at equal rates.
    engine: Option<Engine>,
}

impl Resampler {
    /// Begins at the beginning of a stream.
    pub fn new(from: Hertz, to: Hertz) -> Result<Resampler, ResampleError> {
        Resampler::resume(from, to, Frames::ZERO, &Stereo::new())
    }

    /// Goes on within a stream, to the bit as if it had never been left, with the `consumed`th
    /// frame of the input. `context` are the frames right before that one, as many as
    /// [`context_frames`](Resampler::context_frames) says.
    ///
    /// Whoever can read the input again keeps one number, [`consumed`](Resampler::consumed); who
    /// cannot also keeps [`context`](Resampler::context). The next frame that is given out is the
    /// [`produced`](Resampler::produced)th, as it was before.
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
        let Some(mut engine) = Engine::new(from, to) else {
            let (last, produced) = (Stereo::new(), consumed);
            return Ok(Resampler { from, to, consumed, produced, last, pending, engine: None });
        };
        let whole = if context.len() < engine.block_in { 0 } else { engine.block_in };
        let last = pending.take_front(whole);
        if !last.is_empty() {
            // What this block gives was given out before; what it leaves for the next is wanted.
            engine.run(&last);
        }
        engine.blocks = consumed.0 / engine.block_in as u64;
        let produced = engine.produced();
        Ok(Resampler { from, to, consumed, produced, last, pending, engine: Some(engine) })
    }

    /// How many frames of input before the `consumed`th it takes to resume there: less than two
    /// blocks, which are 4,160 frames at most between the usual rates, and 2 to 4 seconds between
    /// rates without a common factor.
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

    /// Takes frames in and adds to `out` what they settle.
    pub fn push(&mut self, input: &Stereo, out: &mut Stereo) {
        self.consumed += input.frames();
        let Some(engine) = &mut self.engine else {
            self.produced += input.frames();
            return out.extend(input);
        };
        let mut at = 0;
        while at < input.len() {
            let end = input.len().min(at + engine.block_in - self.pending.len());
            self.pending.extend(&input.slice(at..end));
            at = end;
            if self.pending.len() == engine.block_in {
                self.last = std::mem::take(&mut self.pending);
                let given = engine.run(&self.last);
                // The filter's delay comes first.
                let settled = engine.produced() - self.produced;
                out.extend(&given.slice(given.len() - settled.as_len()..given.len()));
                self.produced = engine.produced();
            }
        }
    }

    /// Ends the stream and adds the rest to `out`.
    pub fn finish(mut self, out: &mut Stereo) {
        let missing = self.consumed.resampled(self.from, self.to) - self.produced;
        let block = self.engine.as_ref().map_or(0, |engine| engine.block_in);
        // Silence settles what is still in the filter.
        let mut rest = Stereo::new();
        while rest.frames() < missing {
            self.push(&Stereo::zeros(block - self.pending.len()), &mut rest);
        }
        rest.resize(missing.as_len());
        out.extend(&rest);
    }

    /// Frames taken in so far.
    pub fn consumed(&self) -> Frames {
        self.consumed
    }

    /// Frames given out so far; those of the input that are not settled yet follow later.
    pub fn produced(&self) -> Frames {
        self.produced
    }

    /// The frames to resume from here.
    pub fn context(&self) -> Stereo {
        let mut context = self.last.clone();
        context.extend(&self.pending);
        context
    }
}

/// Frames of a block on both sides: whole multiples of what the rates have in common. They are
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

/// Rubato, block by block.
struct Engine {
    fft: Fft<f32>,
    block_in: usize,
    block_out: usize,
    /// Blocks taken in.
    blocks: u64,
}

impl Engine {
    /// `None` at equal rates, where there is nothing to do.
    fn new(from: Hertz, to: Hertz) -> Option<Engine> {
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
        Some(Engine { fft, block_in, block_out, blocks: 0 })
    }

    /// What one block of input gives: one block of output, half a block late.
    fn run(&mut self, block: &Stereo) -> Stereo {
        let mut given = Stereo::zeros(self.block_out);
        let planes = block.planes();
        let input = SequentialSliceOfSlices::new(&planes, Stereo::CHANNELS, self.block_in)
            .expect("a block is as long as it is");
        let mut planes = given.planes_mut();
        let mut output =
            SequentialSliceOfSlices::new_mut(&mut planes, Stereo::CHANNELS, self.block_out)
                .expect("a block is as long as it is");
        self.fft
            .process_into_buffer(&input, &mut output, None)
            .expect("the block sizes are those of the resampler");
        self.blocks += 1;
        given
    }

    /// Frames that are settled: all but the delay of the filter.
    fn produced(&self) -> Frames {
        let delay = self.block_out as u64 / 2;
        Frames((self.blocks * self.block_out as u64).saturating_sub(delay))
    }
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
    fn rates_that_are_not_supported_are_named() {
        let error = Resampler::new(Hertz(44_100), Hertz(0)).err().unwrap();
        assert_eq!(error, ResampleError::UnsupportedRate(Hertz(0)));
        assert_eq!(
            error.to_string(),
            "0 Hz cannot be resampled: a rate must be 8000 Hz to 192000 Hz"
        );
        assert!(Resampler::new(Hertz(192_001), Hertz(44_100)).is_err());
    }

    #[test]
    fn a_wrong_context_is_refused() {
        let (from, to) = (Hertz(48_000), Hertz(44_100));
        let resumed = Resampler::resume(from, to, Frames(5000), &Stereo::zeros(2759));
        let error = resumed.err().unwrap();
        assert_eq!(
            error,
            ResampleError::WrongContext { wanted: Frames(2760), found: Frames(2759) }
        );
    }
}
