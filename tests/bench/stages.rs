//! What surrounds the inference of a segment, stage by stage, to be timed or counted.
//!
//! `stages` lists them. `stages NAME ROUNDS` prints the seconds of each round, one a line, after one that is not counted.
//! Under `valgrind --tool=callgrind --toggle-collect='*measured*'` the last round alone is counted: `stages NAME 1`.
//! Each is what one segment of HTDemucs takes, 7.8 s with four stems; what is decoded is the song of the demo.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::io::{Cursor, Write};
use std::time::Instant;

use stemwire::audio::resample::Resampler;
use stemwire::audio::{Encoding, FileFormat, Frames, Hertz, Stereo};
use stemwire::decode::{Complete, DecodeLimits, Decoder, Input};
use stemwire::dsp::segments::Blend;
use stemwire::dsp::{OverlapAdd, Segmentation};
use stemwire::encode::{FileSpec, Output, encoder};
use stemwire::engine::inference::spectra::Spectra;
use stemwire::model::card::StftShape;

/// Frames of HTDemucs' segment.
const SEGMENT: Frames = Frames(343_980);
const STEMS: usize = 4;

/// Work that can be done again and again.
type Step = Box<dyn FnMut()>;

/// Makes a stage with all that it needs.
type Prepare = fn() -> Step;

const STAGES: [(&str, Prepare); 16] = [
    ("decode mp3", decode),
    ("resample 48000 to 44100", resample),
    ("spectrum", spectrum),
    ("inverse spectrum", inverse_spectrum),
    ("overlap-add", overlap_add),
    ("pcm f32", || encode(Encoding::F32Le)),
    ("pcm s16", || encode(Encoding::S16Le)),
    ("pcm s24", || encode(Encoding::S24Le)),
    ("pcm s16 read", read_pcm),
    ("file wav-s16", || file(FileFormat::WavS16)),
    ("file flac", || file(FileFormat::Flac)),
    ("file flac-s16", || file(FileFormat::FlacS16)),
    ("file aiff", || file(FileFormat::Aiff)),
    ("file m4a-alac", || file(FileFormat::M4aAlac)),
    ("file opus", || file(FileFormat::Opus)),
    ("file mp3", || file(FileFormat::Mp3)),
];

fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let mut out = std::io::stdout().lock();
    let Some(wanted) = arguments.next() else {
        STAGES.iter().for_each(|(name, _)| writeln!(out, "{name}").unwrap());
        return;
    };
    let rounds = arguments.next().map_or(1, |rounds| rounds.parse().unwrap());
    let Some((_, prepare)) = STAGES.iter().find(|(name, _)| *name == wanted) else {
        panic!("there is no stage {wanted:?}");
    };
    let mut stage = prepare();
    // Plans are made and memory is touched.
    stage();
    for _ in 0..rounds {
        let begun = Instant::now();
        measured(&mut stage);
        writeln!(out, "{:.9}", begun.elapsed().as_secs_f64()).unwrap();
    }
}

/// What callgrind counts, by this name.
#[inline(never)]
fn measured(stage: &mut Step) {
    stage();
}

/// Noise, the same every time.
fn noise(frames: usize) -> Stereo {
    let mut state = 1_u32;
    let mut plane = || -> Vec<f32> {
        let sample = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..frames).map(sample).collect()
    };
    let left = plane();
    Stereo::from_planes(left, plane()).unwrap()
}

fn stems() -> Vec<Stereo> {
    vec![noise(SEGMENT.as_len()); STEMS]
}

fn decode() -> Step {
    Box::new(|| {
        let song = Cursor::new(include_bytes!("../../models/demo/song.mp3"));
        let upload = Box::new(Complete(song));
        let mut decoder =
            Decoder::open(upload, &Input::Container, &DecodeLimits::default()).unwrap();
        while let Some(block) = decoder.next_block().unwrap() {
            black_box(block);
        }
    })
}

fn resample() -> Step {
    let (from, to) = (Hertz(48_000), Hertz(44_100));
    let input = noise(Frames::resampled(SEGMENT, to, from).as_len());
    Box::new(move || {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut out = Stereo::new();
        resampler.push(&input, &mut out);
        resampler.finish(&mut out);
        black_box(out);
    })
}

fn spectra() -> Spectra {
    Spectra::new(StftShape { size: 4096, hop: 1024 }, SEGMENT, 1)
}

fn spectrum() -> Step {
    let (mut spectra, mix) = (spectra(), noise(SEGMENT.as_len()));
    let mut spectrum = vec![0.0; 2 * Stereo::CHANNELS * spectra.shape().plane()];
    Box::new(move || {
        spectra.analyse(&mix, &mut spectrum);
        black_box(&spectrum);
    })
}

fn inverse_spectrum() -> Step {
    let (mut spectra, mix) = (spectra(), noise(SEGMENT.as_len()));
    let mut spectrum = vec![0.0; 2 * Stereo::CHANNELS * spectra.shape().plane()];
    spectra.analyse(&mix, &mut spectrum);
    let spectrum = spectrum.repeat(STEMS);
    let waveforms = vec![0.5; STEMS * Stereo::CHANNELS * SEGMENT.as_len()];
    Box::new(move || {
        let spectrograms = spectrum.chunks_exact(2 * spectra.shape().plane());
        let waveforms = waveforms.chunks_exact(SEGMENT.as_len()).map(Some);
        let channels: Vec<_> = spectrograms.zip(waveforms).collect();
        black_box(spectra.synthesise(&channels));
    })
}

fn overlap_add() -> Step {
    let windows = Segmentation::new(SEGMENT, 0.25);
    let (weights, stems) = (windows.weights(), stems());
    let mut sums = OverlapAdd::new(STEMS, Frames::ZERO, Blend::Average);
    let mut index = 0;
    Box::new(move || {
        sums.add(windows.start(index), &weights, &stems);
        index += 1;
        black_box(sums.take_final(windows.start(index)));
    })
}

fn encode(encoding: Encoding) -> Step {
    let stems = stems();
    Box::new(move || {
        for stem in &stems {
            let mut bytes = Vec::with_capacity(stem.len() * 8);
            black_box(encoding.write_frames(stem, &mut bytes));
            black_box(bytes);
        }
    })
}

/// The files of all stems; 31 s of audio.
fn file(format: FileFormat) -> Step {
    let stems = stems();
    let (rate, frames) = (Hertz(44_100), SEGMENT);
    let spec =
        FileSpec { format, channels: 2, rate, frames, bitrate: None, dither_seed: 0, tags: None };
    Box::new(move || {
        for stem in &stems {
            let mut file = encoder(&spec, Output::Stream(Box::new(std::io::sink())), None).unwrap();
            file.write(stem).unwrap();
            file.finish().unwrap();
        }
    })
}

fn read_pcm() -> Step {
    let mut bytes = Vec::new();
    Encoding::S16Le.write_frames(&noise(SEGMENT.as_len()), &mut bytes);
    Box::new(move || {
        black_box(Encoding::S16Le.read_frames(&bytes));
    })
}
