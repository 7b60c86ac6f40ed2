//! Any number of channels becomes two.
//!
//! One channel is heard from both sides, two stay as they are, and more are mixed by the
//! coefficients of ITU-R BS.775-3, table 2, for a 2/0 presentation:
//!
//! | speaker | left | right |
//! |---|---|---|
//! | front left / right, left / right of centre | 1 | 1, to their own side |
//! | front centre | √½ | √½ |
//! | side or back left / right | √½ | √½, to their own side |
//! | back centre | ½ | ½ |
//! | low frequency effects, anything overhead | 0 | 0 |
//!
//! Then all of them are divided by the largest sum of a row, so that full scale in every channel is
//! full scale in the mix and nothing can clip: 5.1 gets quieter by 7.7 dB. That is `ffmpeg -ac 2`
//! with `rematrix_maxval=1`.

use std::f32::consts::FRAC_1_SQRT_2;
use std::ops::Range;

use crate::audio::Stereo;

/// As many channels as a matrix is known for.
pub(super) const MOST_CHANNELS: u32 = 8;

/// Which speakers the channels of a source are for, as the bits of a WAVE channel mask; channels
/// are in the order of the bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout(u32);

/// Gains to the left and the right by the bit of the WAVE channel mask; all beyond are overhead.
const GAINS: [[f32; 2]; 11] = [
    [1.0, 0.0],                     // front left
    [0.0, 1.0],                     // front right
    [FRAC_1_SQRT_2, FRAC_1_SQRT_2], // front centre
    [0.0, 0.0],                     // low frequency effects
    [FRAC_1_SQRT_2, 0.0],           // back left
    [0.0, FRAC_1_SQRT_2],           // back right
    [1.0, 0.0],                     // front left of centre
    [0.0, 1.0],                     // front right of centre
    [0.5, 0.5],                     // back centre
    [FRAC_1_SQRT_2, 0.0],           // side left
    [0.0, FRAC_1_SQRT_2],           // side right
];

impl Layout {
    /// The layout that FLAC, Vorbis and WAVE files without a mask mean by a number of channels.
    /// Beyond eight the further ones are left out of the mix.
    pub(super) fn of_count(channels: u32) -> Layout {
        Layout(match channels {
            0 | 1 => 0b100,
            2 => 0b11,
            3 => 0b111,
            4 => 0b11_0011,
            5 => 0b11_0111,
            6 => 0b11_1111,
            7 => 0b111_0000_1111,
            _ => 0b110_0011_1111,
        })
    }

    /// The layouts of ALAC: surround is behind in 4.0, and 7.1 has wide fronts.
    pub(super) fn of_alac(channels: u32) -> Layout {
        match channels {
            4 => Layout(0b1_0000_0111),
            8 => Layout(0b110_1100_1111),
            _ => Layout::of_count(channels),
        }
    }

    /// A mask from a WAVE header; where it names another number of speakers than there are
    /// channels, it is not believed.
    pub(super) fn of_mask(mask: u32, channels: u32) -> Layout {
        if mask.count_ones() == channels { Layout(mask) } else { Layout::of_count(channels) }
    }

    /// The bits of the speakers, one a channel.
    fn speakers(self) -> impl Iterator<Item = usize> {
        (0..32).filter(move |bit| self.0 >> bit & 1 == 1)
    }
}

/// How a layout becomes two channels.
pub(super) enum Mix {
    /// The one channel, twice.
    Mono,
    /// As they are.
    Stereo,
    /// Gains to the left and the right by channel.
    Matrix(Vec<[f32; 2]>),
}

impl Mix {
    /// The mix for `channels` channels of a layout.
    pub(super) fn new(channels: u32, layout: Layout) -> Mix {
        match channels {
            0 | 1 => Mix::Mono,
            2 => Mix::Stereo,
            _ => {
                let mut gains: Vec<[f32; 2]> = layout
                    .speakers()
                    .map(|bit| GAINS.get(bit).copied().unwrap_or_default())
                    .collect();
                let sum = |side: usize| gains.iter().map(|gain| gain[side]).sum::<f32>();
                let scale = 1.0 / sum(0).max(sum(1)).max(1.0);
                gains.iter_mut().flatten().for_each(|gain| *gain *= scale);
                Mix::Matrix(gains)
            }
        }
    }

    /// The frames of `range` as two channels; a channel that is shorter is silent there.
    pub(super) fn stereo(&self, planes: &[Vec<f32>], range: Range<usize>) -> Stereo {
        let mut audio = Stereo::zeros(range.len());
        let sides = audio.planes_mut();
        for (side, out) in sides.into_iter().enumerate() {
            match self {
                Mix::Mono => add(out, planes.first(), &range, 1.0),
                Mix::Stereo => add(out, planes.get(side), &range, 1.0),
                Mix::Matrix(gains) => {
                    for (plane, gain) in planes.iter().zip(gains).filter(|(_, g)| g[side] != 0.0) {
                        add(out, Some(plane), &range, gain[side]);
                    }
                }
            }
        }
        audio
    }
}

/// Adds the frames of `range` at a gain; at gain 1 onto silence they are unchanged to the bit.
fn add(out: &mut [f32], plane: Option<&Vec<f32>>, range: &Range<usize>, gain: f32) {
    let from = plane.and_then(|plane| plane.get(range.start..)).unwrap_or_default();
    for (sum, sample) in out.iter_mut().zip(from) {
        *sum += sample * gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(channels: u32, layout: Layout, frame: &[f32], left: f32, right: f32) {
        let planes: Vec<Vec<f32>> = frame.iter().map(|&sample| vec![sample]).collect();
        let mixed = Mix::new(channels, layout).stereo(&planes, 0..1);
        assert!((mixed.left()[0] - left).abs() < 1e-6, "{mixed:?}");
        assert!((mixed.right()[0] - right).abs() < 1e-6, "{mixed:?}");
    }

    #[test]
    fn one_and_two_channels_are_not_touched() {
        check(1, Layout::of_count(1), &[0.3], 0.3, 0.3);
        check(2, Layout::of_count(2), &[0.3, -0.7], 0.3, -0.7);
    }

    #[test]
    fn more_follow_the_matrix_and_cannot_clip() {
        let full = 1.0 + 2.0 * FRAC_1_SQRT_2;
        check(3, Layout::of_count(3), &[1.0, 0.0, 0.0], 1.0 / (1.0 + FRAC_1_SQRT_2), 0.0);
        check(4, Layout::of_count(4), &[1.0; 4], 1.0, 1.0);
        check(6, Layout::of_count(6), &[1.0; 6], 1.0, 1.0);
        check(6, Layout::of_count(6), &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0], 0.0, 0.0);
        let (centre, surround) = (FRAC_1_SQRT_2 / full, FRAC_1_SQRT_2 / full);
        check(6, Layout::of_count(6), &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], centre, centre);
        check(6, Layout::of_count(6), &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 0.0, surround);
        check(8, Layout::of_count(8), &[1.0; 8], 1.0, 1.0);
        check(8, Layout::of_alac(8), &[1.0; 8], 1.0, 1.0);
        // A mask of two speakers for three channels is not believed.
        check(3, Layout::of_mask(0b11, 3), &[1.0, 1.0, 1.0], 1.0, 1.0);
    }
}
