//! The fixed segment that every candidate separates.

use crate::audio::{Frames, Hertz, Stereo};

/// The fixed segment at a model's rate and length: two voices of a slowly gliding tone with partials, struck
/// chords and bursts of noise, at the level of music. It depends on nothing else, so that results can be
/// cached.
pub fn fixed(frames: Frames, rate: Hertz) -> Stereo {
    let seconds_per_frame = 1.0 / f64::from(rate.0);
    let mut noise = Noise(0x2545_F491);
    let mut left = Vec::with_capacity(frames.as_len());
    let mut right = Vec::with_capacity(frames.as_len());
    for frame in 0..frames.as_len() {
        let time = frame as f64 * seconds_per_frame;
        let voice = partials(time, 196.0 + 8.0 * (0.7 * time).sin(), 12);
        // A chord every half second, a burst of noise every quarter.
        let struck = time % 0.5;
        let chord: f64 = [110.0, 277.2, 329.6].iter().map(|&tone| partials(struck, tone, 5)).sum();
        let chord = chord * (-4.0 * struck).exp();
        let burst = noise.next() * (-40.0 * (time % 0.25)).exp();
        left.push((0.16 * voice + 0.10 * chord + 0.25 * burst) as f32);
        right.push((0.14 * voice + 0.06 * chord + 0.20 * burst) as f32);
    }
    Stereo::from_planes(left, right).unwrap_or_else(|| Stereo::zeros(frames.as_len()))
}

/// A tone with so many partials, each weaker than the one below it.
fn partials(time: f64, tone: f64, count: u32) -> f64 {
    let turn = std::f64::consts::TAU * tone * time;
    (1..=count).map(f64::from).map(|n| (n * turn).sin() / n).sum()
}

/// White noise, -1 to 1: the xorshift generator of Marsaglia, 2003.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        f64::from(self.0) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_each_time_and_as_loud_as_music() {
        let segment = fixed(Frames(44_100), Hertz(44_100));
        assert_eq!(segment, fixed(Frames(44_100), Hertz(44_100)));
        assert_eq!(segment.len(), 44_100);
        for plane in segment.planes() {
            let mean_square = plane.iter().map(|x| x * x).sum::<f32>() / plane.len() as f32;
            assert!((0.05..0.4).contains(&mean_square.sqrt()), "{}", mean_square.sqrt());
            assert!(plane.iter().all(|x| x.abs() < 1.5));
        }
    }
}
