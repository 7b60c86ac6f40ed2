//! M4A and NI stem files, read back by FFmpeg and by this program's decoder.

use std::path::Path;

use crate::support::compare::stereo_snr_db;
use crate::support::decode;
use crate::support::ffmpeg::{Workshop, ffmpeg};
use stemwire::audio::{Encoding, FileFormat, Frames, Hertz, StemName, Stereo};
use stemwire::encode::dither::Dither;
use stemwire::encode::ni_stems::{NiStemCodec, NiStemPlan, NiStemsEncoder};
use stemwire::encode::{Ffmpeg, FileSpec, Output, encoder};

/// Deterministic noise between -1 and 1.
fn noise(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// Passages of what predictors expect and of what they do not: tones, silence, clicks, noise, squares, all up to full scale.
fn hard(frames: usize) -> Stereo {
    let mut noise = noise(1);
    let mut sample = |n: usize| {
        let t = n as f32;
        match n / 3500 % 6 {
            0 => (t * 0.05).sin() * 0.7 + noise() * 0.01,
            1 => 0.0,
            2 => -f32::from(u8::from(n.is_multiple_of(97))),
            3 => noise(),
            4 => (t * 0.05).sin() * 0.7,
            _ => {
                if n % 60 < 30 {
                    0.999_99
                } else {
                    -1.0
                }
            }
        }
    };
    let left: Vec<f32> = (0..frames).map(&mut sample).collect();
    let right =
        left.iter().enumerate().map(|(n, left)| left * 0.4 + (n as f32 * 0.013).sin() * 0.3);
    let right = right.collect();
    Stereo::from_planes(left, right).unwrap()
}

/// What a player plays: two sweeps with some noise.
fn music(frames: usize, seed: u32) -> Stereo {
    let mut noise = noise(seed);
    let pitch = 0.2 + seed as f32 * 0.04;
    let mut plane = |phase: f32| -> Vec<f32> {
        (0..frames).map(|n| (n as f32 * pitch + phase).sin() * 0.15 + noise() * 0.003).collect()
    };
    Stereo::from_planes(plane(0.0), plane(1.0)).unwrap()
}

/// Encodes blocks of uneven length into a file.
fn write(path: &Path, spec: &FileSpec, audio: &Stereo) -> Vec<u8> {
    let output = Output::create(path).unwrap();
    let mut file = encoder(spec, output, Some(&ffmpeg())).unwrap();
    for at in (0..audio.len()).step_by(10_007) {
        file.write(&audio.slice(at..audio.len().min(at + 10_007))).unwrap();
    }
    file.finish().unwrap();
    std::fs::read(path).unwrap()
}

#[track_caller]
fn check_exact(format: FileFormat, channels: usize, rate: u32, frames: usize) {
    let workshop = Workshop::new();
    let audio = hard(frames);
    let spec = spec(format, channels, rate, &audio);
    let bytes = write(&workshop.path("stem.m4a"), &spec, &audio);
    let audio =
        Dither::of(&spec).map_or(audio.clone(), |dither| dither.apply(Frames::ZERO, &audio));
    let mut raw = Vec::new();
    let encoding = format.encoding();
    match channels {
        1 => encoding.write(audio.mono().flat_map(|sample| [sample; 2]), &mut raw),
        _ => encoding.write_frames(&audio, &mut raw),
    };
    let expected = encoding.read_frames(&raw);
    assert!(bytes.len() < raw.len() + 2_000, "{} of {} bytes", bytes.len(), raw.len());
    let decoded = decode(&bytes).unwrap();
    assert!(decoded.report.is_clean(), "{:?}", decoded.report);
    let source = &decoded.source;
    assert_eq!((source.rate, source.channels), (Hertz(rate), channels as u32));
    assert_eq!(source.frames, Some(audio.frames()));
    assert!(*decoded.only() == expected, "{format:?} {channels} {rate} {frames}");
    assert!(workshop.stereo("stem.m4a", channels, "") == expected, "FFmpeg: {format:?} {channels}");
}

fn spec(format: FileFormat, channels: usize, rate: u32, audio: &Stereo) -> FileSpec {
    let (rate, frames) = (Hertz(rate), audio.frames());
    FileSpec { format, channels, rate, frames, bitrate: None, dither_seed: 0, tags: None }
}

#[test]
fn alac_has_every_sample() {
    check_exact(FileFormat::M4aAlac, 2, 44_100, 22_000);
    check_exact(FileFormat::M4aAlac, 1, 96_000, 22_000);
    check_exact(FileFormat::M4aAlacS16, 2, 96_000, 22_000);
    for frames in [9, 10, 4096, 4097] {
        check_exact(FileFormat::M4aAlacS16, 2, 48_000, frames);
    }
}

#[track_caller]
fn check_aac(channels: usize, rate: u32, frames: usize) {
    let workshop = Workshop::new();
    let audio = music(frames, 1);
    let spec = spec(FileFormat::M4aAac, channels, rate, &audio);
    let bytes = write(&workshop.path("stem.m4a"), &spec, &audio);
    let decoded = decode(&bytes).unwrap();
    assert!(decoded.report.is_clean(), "{:?}", decoded.report);
    assert_eq!(decoded.source.frames, Some(audio.frames()));
    let found = decoded.only();
    assert_eq!((found.len(), decoded.source.rate), (frames, Hertz(rate)));
    let expected = match channels {
        1 => Stereo::from_planes(audio.mono().collect(), audio.mono().collect()).unwrap(),
        _ => audio,
    };
    // A delay of a frame leaves 12 dB.
    let db = stereo_snr_db(&expected, found);
    assert!(db > 18.0, "{channels} {rate} {frames}: {db:.1} dB");
}

#[test]
fn aac_has_the_length_and_no_delay() {
    check_aac(2, 44_100, 30_000);
    check_aac(1, 96_000, 30_000);
    check_aac(2, 48_000, 1024 * 20);
}

#[test]
fn an_ni_stem_file_has_the_mix_and_the_four_stems() {
    const FRAMES: usize = 50_000;
    let names = ["vocals", "guitar", "drums", "bass", "other", "accompaniment"];
    let names: Vec<StemName> = names.iter().map(|name| name.parse().unwrap()).collect();
    let plan = NiStemPlan::of(&names).unwrap();
    let stems: Vec<Stereo> = (1..=5).map(|seed| music(FRAMES, seed)).collect();
    let sum = |parts: &[usize]| {
        let mut sum = Stereo::zeros(FRAMES);
        parts.iter().for_each(|&part| sum.add(&stems[part]));
        sum
    };
    // In the order of the plan: vocals, guitar, drums, bass, other.
    let expected = [sum(&[0, 1, 2, 3, 4]), sum(&[2]), sum(&[3]), sum(&[1, 4]), sum(&[0])];
    for ffmpeg in [None, Some(ffmpeg())] {
        let workshop = Workshop::new();
        let output = Output::create(&workshop.path("song.stem.mp4")).unwrap();
        let rate = Hertz(44_100);
        let codec = NiStemCodec::of(rate, ffmpeg.as_ref());
        let mut file = NiStemsEncoder::start(plan.clone(), rate, codec, None, output).unwrap();
        for at in (0..FRAMES).step_by(17_000) {
            let part = at..FRAMES.min(at + 17_000);
            let blocks: Vec<Stereo> = stems.iter().map(|stem| stem.slice(part.clone())).collect();
            file.write(&blocks).unwrap();
        }
        file.finish().unwrap();
        for (index, expected) in expected.iter().enumerate() {
            let map = format!("-map 0:{index}");
            let mut found = workshop.stereo("song.stem.mp4", 2, &map);
            if ffmpeg.is_some() {
                // FFmpeg leaves in the end of the last packet.
                assert!((FRAMES..FRAMES + 1024).contains(&found.len()), "{}", found.len());
                found.resize(FRAMES);
                let db = stereo_snr_db(expected, &found);
                assert!(db > 18.0, "track {index}: {db:.1} dB");
            } else {
                let mut raw = Vec::new();
                Encoding::S24Le.write_frames(expected, &mut raw);
                assert!(found == Encoding::S24Le.read_frames(&raw), "track {index}");
            }
        }
        // Ordinary players play the first track.
        let decoded = decode(&std::fs::read(workshop.path("song.stem.mp4")).unwrap()).unwrap();
        assert_eq!(decoded.only().frames(), Frames::from_len(FRAMES));
        assert!(stereo_snr_db(&expected[0], decoded.only()) > 18.0);
    }
}

#[test]
fn an_encoder_that_does_not_work_is_an_error() {
    let broken = Ffmpeg { program: "/bin/false".into(), ..ffmpeg() };
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(FileFormat::M4aAac, 2, 44_100, &Stereo::zeros(400_000));
    let output = Output::create(&folder.path().join("stem.m4a")).unwrap();
    let mut file = encoder(&spec, output, Some(&broken)).unwrap();
    let block = Stereo::zeros(100_000);
    let written = (0..4).try_for_each(|_| file.write(&block).map(drop));
    let error = written.and_then(|()| file.finish()).unwrap_err().to_string();
    assert!(error.contains("ffmpeg"), "{error}");
}
