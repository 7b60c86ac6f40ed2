//! Downmix of 1 to 8 channels to stereo.
//!
//! Mono is copied to both sides and stereo is unchanged. More channels are mixed with the
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
//! The coefficients are then divided by the larger of the two sides' sums, so that full scale in
//! every channel is full scale in the downmix and nothing clips; 5.1 becomes 7.7 dB quieter. This
//! equals `ffmpeg -ac 2` with `rematrix_maxval=1`.

use std::f32::consts::FRAC_1_SQRT_2;
use std::ops::Range;

use crate::audio::Stereo;

/// Most channels for which there is a matrix.
pub(super) const MAX_CHANNELS: u32 = 8;

/// The speakers of a source's channels, in the order of the channels, as bits of a WAVE channel mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChannelLayout([u8; MAX_CHANNELS as usize]);

/// Gains to the left and the right by bit of the WAVE channel mask; further bits are overhead.
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

impl ChannelLayout {
    /// The default layout of FLAC and WAVE files without a mask. Channels beyond the eighth are not part
    /// of the downmix.
    pub(super) fn of_count(channels: u32) -> ChannelLayout {
        ChannelLayout::of_bits(match channels {
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

    /// The layouts of ALAC: 4.0 has a back centre, and 7.1 has wide fronts.
    pub(super) fn of_alac(channels: u32) -> ChannelLayout {
        match channels {
            4 => ChannelLayout::of_bits(0b1_0000_0111),
            8 => ChannelLayout::of_bits(0b110_1100_1111),
            _ => ChannelLayout::of_count(channels),
        }
    }

    /// The layouts and the order of Vorbis (Vorbis I specification, 4.3.9), which are also those of Opus.
    pub(super) fn of_vorbis(channels: u32) -> ChannelLayout {
        ChannelLayout(match channels {
            3 => [0, 2, 1, 0, 0, 0, 0, 0],
            5 => [0, 2, 1, 4, 5, 0, 0, 0],
            6 => [0, 2, 1, 4, 5, 3, 0, 0],
            7 => [0, 2, 1, 9, 10, 8, 3, 0],
            8 => [0, 2, 1, 9, 10, 4, 5, 3],
            _ => return ChannelLayout::of_count(channels),
        })
    }

    /// A mask from a WAVE header. A mask of another number of speakers than channels is ignored.
    pub(super) fn of_mask(mask: u32, channels: u32) -> ChannelLayout {
        if mask.count_ones() == channels {
            ChannelLayout::of_bits(mask)
        } else {
            ChannelLayout::of_count(channels)
        }
    }

    /// The speakers of a mask, in the order of its bits.
    fn of_bits(mask: u32) -> ChannelLayout {
        let mut speakers = [0; MAX_CHANNELS as usize];
        let bits = (0..32).filter(|bit| mask >> bit & 1 == 1);
        speakers.iter_mut().zip(bits).for_each(|(speaker, bit)| *speaker = bit);
        ChannelLayout(speakers)
    }
}

/// How the channels of a layout become stereo.
pub(super) enum Downmix {
    /// The one channel on both sides.
    Mono,
    /// Unchanged.
    Stereo,
    /// Gains to the left and the right, by channel.
    Matrix(Vec<[f32; 2]>),
}

impl Downmix {
    /// The downmix of `channels` channels of a layout.
    pub(super) fn new(channels: u32, layout: ChannelLayout) -> Downmix {
        match channels {
            0 | 1 => Downmix::Mono,
            2 => Downmix::Stereo,
            _ => {
                let speakers = layout.0.iter().take(channels as usize);
                let mut gains: Vec<[f32; 2]> = speakers
                    .map(|&bit| GAINS.get(usize::from(bit)).copied().unwrap_or_default())
                    .collect();
                let sum = |side: usize| gains.iter().map(|gain| gain[side]).sum::<f32>();
                let scale = 1.0 / sum(0).max(sum(1)).max(1.0);
                gains.iter_mut().flatten().for_each(|gain| *gain *= scale);
                Downmix::Matrix(gains)
            }
        }
    }

    /// The frames of `range` as stereo. A plane that ends before is silent from there on.
    pub(super) fn stereo(&self, planes: &[Vec<f32>], range: Range<usize>) -> Stereo {
        let mut audio = Stereo::zeros(range.len());
        let sides = audio.planes_mut();
        for (side, out) in sides.into_iter().enumerate() {
            match self {
                Downmix::Mono => add(out, planes.first(), &range, 1.0),
                Downmix::Stereo => add(out, planes.get(side), &range, 1.0),
                Downmix::Matrix(gains) => {
                    for (plane, gain) in planes.iter().zip(gains).filter(|(_, g)| g[side] != 0.0) {
                        add(out, Some(plane), &range, gain[side]);
                    }
                }
            }
        }
        audio
    }
}

/// Adds the frames of `range` at a gain. At gain 1 onto silence they are bit-identical.
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
    fn check(channels: u32, layout: ChannelLayout, frame: &[f32], left: f32, right: f32) {
        let planes: Vec<Vec<f32>> = frame.iter().map(|&sample| vec![sample]).collect();
        let mixed = Downmix::new(channels, layout).stereo(&planes, 0..1);
        assert!((mixed.left()[0] - left).abs() < 1e-6, "{mixed:?}");
        assert!((mixed.right()[0] - right).abs() < 1e-6, "{mixed:?}");
    }

    #[test]
    fn mono_and_stereo_are_unchanged() {
        check(1, ChannelLayout::of_count(1), &[0.3], 0.3, 0.3);
        check(2, ChannelLayout::of_count(2), &[0.3, -0.7], 0.3, -0.7);
    }

    #[test]
    fn surround_follows_the_matrix_and_cannot_clip() {
        let full = 1.0 + 2.0 * FRAC_1_SQRT_2;
        check(3, ChannelLayout::of_count(3), &[1.0, 0.0, 0.0], 1.0 / (1.0 + FRAC_1_SQRT_2), 0.0);
        check(4, ChannelLayout::of_count(4), &[1.0; 4], 1.0, 1.0);
        check(6, ChannelLayout::of_count(6), &[1.0; 6], 1.0, 1.0);
        check(6, ChannelLayout::of_count(6), &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0], 0.0, 0.0);
        let (centre, surround) = (FRAC_1_SQRT_2 / full, FRAC_1_SQRT_2 / full);
        check(6, ChannelLayout::of_count(6), &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], centre, centre);
        check(6, ChannelLayout::of_count(6), &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 0.0, surround);
        check(8, ChannelLayout::of_count(8), &[1.0; 8], 1.0, 1.0);
        check(8, ChannelLayout::of_alac(8), &[1.0; 8], 1.0, 1.0);
        check(6, ChannelLayout::of_vorbis(6), &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0], centre, centre);
        check(6, ChannelLayout::of_vorbis(6), &[0.0, 0.0, 0.0, 0.0, 1.0, 0.0], 0.0, surround);
        check(6, ChannelLayout::of_vorbis(6), &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 0.0, 0.0);
        check(8, ChannelLayout::of_vorbis(8), &[1.0; 8], 1.0, 1.0);
        // A mask of two speakers for three channels is ignored.
        check(3, ChannelLayout::of_mask(0b11, 3), &[1.0, 1.0, 1.0], 1.0, 1.0);
    }
}
