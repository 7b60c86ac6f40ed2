//! Encodes a song of any length into a format and throws the file away, to be timed and its memory measured.
//!
//! `encoders` lists the formats, those of FFmpeg where it is installed. `encoders FORMAT SECONDS` encodes that much stereo at
//! 44.1 kHz: sweeps and noise, in blocks as they are read from a session.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use stemwire::audio::{FileFormat, Frames, Hertz, Stereo};
use stemwire::encode::{self, Ffmpeg, FileSpec, Output, encoder};
use stemwire::separation::DecoderConfig;
use stemwire::separation::decoder::ffmpeg::choice::FfmpegChoice;

const RATE: Hertz = Hertz(44_100);

/// Frames of a block.
const BLOCK: usize = 32_768;

fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let ffmpeg = ffmpeg();
    let Some(format) = arguments.next() else {
        let mut out = std::io::stdout().lock();
        encode::available(ffmpeg.as_ref())
            .for_each(|format| writeln!(out, "{}", format.name()).unwrap());
        return;
    };
    let seconds: f64 = arguments.next().map_or(60.0, |seconds| seconds.parse().unwrap());
    run(format.parse().unwrap(), Frames((seconds * f64::from(RATE.0)) as u64), ffmpeg.as_ref());
}

fn run(format: FileFormat, frames: Frames, ffmpeg: Option<&Ffmpeg>) {
    let spec = FileSpec {
        format,
        channels: 2,
        rate: RATE,
        frames,
        bitrate: None,
        dither_seed: 1,
        tags: None,
    };
    let mut file = encoder(&spec, Output::Stream(Box::new(std::io::sink())), ffmpeg).unwrap();
    let blocks: Vec<Stereo> = (0..16).map(block).collect();
    let mut left = frames.as_len();
    for block in blocks.iter().cycle() {
        let part = left.min(BLOCK);
        file.write(&block.slice(0..part)).unwrap();
        left -= part;
        if left == 0 {
            break;
        }
    }
    file.finish().unwrap();
}

/// A sweep with some noise, another one for each index.
fn block(index: u32) -> Stereo {
    let mut state = index;
    let mut plane = |pitch: f32| -> Vec<f32> {
        let sample = |n: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / 8_388_608.0 - 1.0;
            let phase = n as f32 * (pitch + n as f32 * 1e-6);
            phase.sin() * 0.3 + noise * 0.05
        };
        (0..BLOCK).map(sample).collect()
    };
    let pitch = 0.01 + index as f32 * 0.003;
    let left = plane(pitch);
    Stereo::from_planes(left, plane(1.5 * pitch)).unwrap()
}

/// The FFmpeg of the search path or of STEMWIRE_FFMPEG, confined.
fn ffmpeg() -> Option<Ffmpeg> {
    let choice = std::env::var("STEMWIRE_FFMPEG").unwrap_or("auto".into());
    let choice: FfmpegChoice = choice.parse().unwrap();
    let program = env!("CARGO_BIN_EXE_stemwire").into();
    let ffmpeg = choice.find().unwrap();
    DecoderConfig { program, ffmpeg, ..DecoderConfig::from_here().unwrap() }.ffmpeg()
}
