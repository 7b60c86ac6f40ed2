//! Resampling, compared with calculated values and with the SoX resampler.

use std::f64::consts::TAU;

use crate::support::compare::stereo_snr_db;
use crate::support::ffmpeg::Workshop;
use crate::support::mutate::Random;
use stemwire::audio::resample::Resampler;
use stemwire::audio::{Frames, Hertz, Stereo};

const CD: Hertz = Hertz(44_100);
/// Common rates, and one without a factor in common with them.
const RATES: [Hertz; 8] = [
    Hertz(8_000),
    Hertz(22_050),
    Hertz(32_000),
    Hertz(44_057),
    Hertz(48_000),
    Hertz(88_200),
    Hertz(96_000),
    Hertz(192_000),
];

fn resample(from: Hertz, to: Hertz, input: &Stereo) -> Stereo {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut out = Stereo::new();
    resampler.push(input, &mut out);
    assert_eq!(resampler.produced(), out.frames());
    resampler.finish(&mut out);
    out
}

/// A sine left, a cosine right.
fn tone(rate: Hertz, frequency: f64, frames: usize) -> Stereo {
    let angle = |n: usize| TAU * frequency * n as f64 / f64::from(rate.0);
    let plane = |wave: fn(f64) -> f64| (0..frames).map(|n| wave(angle(n)) as f32).collect();
    Stereo::from_planes(plane(f64::sin), plane(f64::cos)).unwrap()
}

fn noise(frames: usize) -> Stereo {
    let mut random = Random(frames as u64);
    let mut sample = || (random.next() >> 40) as f32 / (1 << 23) as f32 - 1.0;
    let mut audio = Stereo::new();
    (0..frames).for_each(|_| audio.push(sample(), sample()));
    audio
}

/// All but this many frames at both ends, where a tone starts or stops.
fn middle(audio: &Stereo, edge: usize) -> Stereo {
    audio.slice(edge..audio.len() - edge)
}

/// Reach of a filter of this many input frames in the output.
fn reach(from: Hertz, to: Hertz) -> usize {
    let block = Resampler::context_frames(from, to, Frames(u64::MAX / 2)).unwrap();
    block.resampled(from, to).as_len()
}

#[track_caller]
fn check_tone(from: Hertz, to: Hertz, part_of_nyquist: f64, snr: f64) {
    let frequency = part_of_nyquist * f64::from(from.0.min(to.0)) / 2.0;
    let edge = reach(from, to);
    let wanted = 2 * edge + to.0 as usize / 4;
    let frames = Frames::from_len(wanted).resampled(to, from).as_len();
    let made = resample(from, to, &tone(from, frequency, frames));
    // Not a shift, not a gain: the very samples that the tone has at the other rate.
    let expected = tone(to, frequency, made.len());
    let found = stereo_snr_db(&middle(&expected, edge), &middle(&made, edge));
    assert!(found > snr, "{from} -> {to} at {part_of_nyquist} of Nyquist: {found:.1} dB");
}

#[test]
fn tones_pass_unchanged_and_undelayed() {
    for rate in RATES {
        for (from, to) in [(rate, CD), (CD, rate)] {
            for part in [0.01, 0.3, 0.9, 0.97] {
                check_tone(from, to, part, 105.0);
            }
        }
    }
}

#[track_caller]
fn check_rejected(from: Hertz, frequency: f64, db: f64) {
    let edge = reach(from, CD);
    let made = resample(from, CD, &tone(from, frequency, 4 * edge + from.0 as usize / 4));
    let heard = middle(&made, edge);
    let power = heard.left().iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
    let level = 10.0 * (2.0 * power / heard.len() as f64).log10();
    assert!(level < db, "{frequency} Hz at {from} remains at {level:.1} dB");
}

#[test]
fn frequencies_above_the_lower_rate_are_removed() {
    for (rate, frequency) in [
        (48_000, 22_200.0),
        (48_000, 23_900.0),
        (96_000, 30_000.0),
        (192_000, 22_300.0),
        (192_000, 90_000.0),
    ] {
        check_rejected(Hertz(rate), frequency, -135.0);
    }
}

#[test]
fn lengths_are_exact() {
    for rate in RATES {
        for frames in [0, 1, 2, 2047, 2048, 4161, 100_003] {
            let made = resample(rate, CD, &Stereo::zeros(frames));
            assert_eq!(made.frames(), Frames::from_len(frames).resampled(rate, CD), "{rate}");
        }
    }
}

#[test]
fn equal_rates_change_nothing() {
    let input = noise(10_001);
    assert_eq!(resample(CD, CD, &input), input);
}

#[test]
fn pieces_do_not_matter() {
    let mut random = Random(1);
    for rate in RATES {
        let input = noise(60_000);
        let expected = resample(rate, CD, &input);
        let mut resampler = Resampler::new(rate, CD).unwrap();
        let (mut out, mut at) = (Stereo::new(), 0);
        while at < input.len() {
            let end = input.len().min(at + 1 + random.below(7000) as usize);
            resampler.push(&input.slice(at..end), &mut out);
            at = end;
        }
        resampler.finish(&mut out);
        assert_eq!(out, expected, "{rate}");
    }
}

#[test]
fn a_resumed_stream_is_the_same_to_the_bit() {
    let mut random = Random(2);
    for rate in RATES {
        let input = noise(200_000);
        let expected = resample(rate, CD, &input);
        for round in 0..6 {
            // The last one is right at the border of a block.
            let cut = match round {
                0 => 0,
                1 => input.len(),
                2 => Resampler::context_frames(rate, CD, Frames(1 << 40)).unwrap().as_len(),
                _ => random.below(200_000) as usize,
            };
            let mut first = Resampler::new(rate, CD).unwrap();
            let mut out = Stereo::new();
            first.push(&input.slice(0..cut), &mut out);
            let (consumed, produced) = (first.consumed(), first.produced());
            assert_eq!(consumed, Frames::from_len(cut));
            // The context that was kept is what can be read again.
            let wanted = Resampler::context_frames(rate, CD, consumed).unwrap().as_len();
            let context = input.slice(cut - wanted..cut);
            assert_eq!(first.context(), context);
            let mut second = Resampler::resume(rate, CD, consumed, &context).unwrap();
            assert_eq!(second.produced(), produced);
            second.push(&input.slice(cut..input.len()), &mut out);
            second.finish(&mut out);
            assert_eq!(out, expected, "{rate}, cut at {cut}");
        }
    }
}

#[test]
fn sox_agrees() {
    let workshop = Workshop::new();
    for rate in [8_000, 22_050, 32_000, 48_000, 96_000, 192_000] {
        let sweep = 0.4 * f64::from(rate.min(44_100));
        let signal = format!(
            "aevalsrc=exprs=0.5*sin(PI*{sweep}*t*t/2)|0.5*cos(2*PI*441*t)*sin(2*PI*3*t):s={rate}:d=2"
        );
        workshop.make(&signal, "-c:a pcm_f32le", "in.wav");
        let input = workshop.stereo("in.wav", 2, "");
        let expected =
            workshop.stereo("in.wav", 2, "-af aresample=44100:resampler=soxr:precision=28");
        let made = resample(Hertz(rate), CD, &input);
        // SoX rounds the length where it is not covered here.
        assert!(made.len().abs_diff(expected.len()) <= 1, "{} {}", made.len(), expected.len());
        let edge = reach(Hertz(rate), CD);
        let length = made.len().min(expected.len()) - edge;
        let snr = stereo_snr_db(&expected.slice(edge..length), &made.slice(edge..length));
        assert!(snr > 100.0, "{rate} Hz: {snr:.1} dB");
    }
}
