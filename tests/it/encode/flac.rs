//! FLAC.

use crate::support::decode;
use crate::support::ffmpeg::Workshop;
use stemwire::audio::{Encoding, FileFormat, Frames, Hertz, Stereo};
use stemwire::encode::flac::HIGHEST;
use stemwire::encode::{EncodeError, FileSpec, Output, check, encoder};

/// A signal that is hard for every predictor: tones, silence, noise at full scale.
fn signal(frames: usize) -> Stereo {
    let mut noise = 1_u32;
    let mut sample = |i: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match i / 3000 % 3 {
            0 => (i as f32 * 0.05).sin() * 0.7,
            1 => 0.0,
            _ => (noise >> 8) as f32 / 8_388_608.0 - 1.0,
        }
    };
    let left: Vec<f32> = (0..frames).map(&mut sample).collect();
    let right = left.iter().map(|sample| -sample).collect();
    Stereo::from_planes(left, right).unwrap()
}

fn spec(format: FileFormat, rate: Hertz, frames: Frames) -> FileSpec {
    FileSpec { format, channels: 2, rate, frames, bitrate: None, dither_seed: 0, tags: None }
}

#[track_caller]
fn check_file(frames: usize, piece: usize, rate: u32, channels: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stem.flac");
    let mut audio = signal(frames);
    if channels == 1 {
        // The mean of the signal is silence.
        let left = audio.left().to_vec();
        audio = Stereo::from_planes(left.clone(), left).unwrap();
    }
    let mut bytes = Vec::new();
    match channels {
        1 => Encoding::S24Le.write(audio.mono(), &mut bytes),
        _ => Encoding::S24Le.write(audio.interleaved(), &mut bytes),
    };
    let (rate, frames) = (Hertz(rate), audio.frames());
    let spec = FileSpec { channels, ..spec(FileFormat::Flac, rate, frames) };
    let mut flac = encoder(&spec, Output::create(&path).unwrap(), None).unwrap();
    for at in (0..audio.len()).step_by(piece) {
        flac.write(&audio.slice(at..audio.len().min(at + piece))).unwrap();
    }
    flac.finish().unwrap();
    let file = std::fs::read(&path).unwrap();
    assert!(file.len() < bytes.len() + bytes.len() / 100 + 200, "{} bytes", file.len());
    let samples: Vec<f32> = Encoding::S24Le.read(&bytes).collect();
    let expected = match channels {
        1 => Stereo::from_planes(samples.clone(), samples).unwrap(),
        _ => Stereo::from_interleaved(&samples),
    };
    // Symphonia verifies every frame's checksum, and reports the length in the header.
    let decoded = decode(&file).unwrap();
    assert!(decoded.report.is_clean(), "{:?}", decoded.report);
    assert_eq!((decoded.source.rate, decoded.source.frames), (rate, Some(frames)));
    assert_eq!(decoded.source.channels as usize, channels);
    assert_eq!(*decoded.only(), expected);
    // FFmpeg ends with an error where the MD5 or a checksum is wrong.
    let workshop = Workshop::new();
    workshop.write("stem.flac", &file);
    let other =
        workshop.stereo_of(&["-err_detect", "explode+crccheck", "-i", "stem.flac"], channels);
    assert_eq!(other, expected);
}

#[test]
fn other_decoders_find_every_sample() {
    check_file(1, 1, 44_100, 2);
    check_file(31, 7, 44_100, 2);
    check_file(4096, 4096, 48_000, 2);
    check_file(4097, 100, 48_000, 2);
    check_file(20_000, 9_999, 22_050, 2);
    check_file(20_063, 20_063, 44_100, 2);
    check_file(9_000, 1_000, 12_345, 2);
    check_file(40_000, 40_000, 96_000, 2);
    check_file(1, 1, 44_100, 1);
    check_file(20_063, 100, 44_100, 1);
}

#[test]
fn rates_beyond_the_encoders_are_refused() {
    assert!(check(FileFormat::Flac, Hertz(HIGHEST.0 + 1), None).is_err());
    assert!(check(FileFormat::Flac, HIGHEST, None).is_ok());
    assert!(check(FileFormat::WavF32, Hertz(HIGHEST.0 + 1), None).is_ok());
}

#[test]
fn a_file_of_another_length_than_announced_is_an_error() {
    for format in FileFormat::ALL {
        let spec = spec(format, Hertz(44_100), Frames(100));
        let output = Output::Stream(Box::new(Vec::new()));
        let mut file = match encoder(&spec, output, None) {
            Err(EncodeError::FfmpegMissing { .. }) => continue,
            file => file.unwrap(),
        };
        file.write(&signal(99)).unwrap();
        assert!(file.finish().is_err(), "{format:?}");
    }
}
