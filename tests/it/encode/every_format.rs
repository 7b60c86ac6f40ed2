//! Every format, with one and two channels at common rates, as FFmpeg decodes it: length, delay, and noise or bitrate.

use crate::support::ffmpeg::{Workshop, ffmpeg};
use stemwire::audio::resample::Resampler;
use stemwire::audio::{FileFormat, Frames, Hertz, Stereo};
use stemwire::encode::{Encode, EncodeError, FileSpec, Output, encoder, encoder_without_lame};

/// Starts an encoder.
type Start = fn(&FileSpec, Output) -> Result<Box<dyn Encode>, EncodeError>;

/// A build, and how it starts an encoder.
struct Build {
    start: Start,
    /// Decibels by which an encoder that is not ours may be worse.
    slack_db: f64,
}

const USUAL: Build = Build { start: |spec, output| encoder(spec, output, None), slack_db: 0.0 };

/// Releases of FFmpeg have LAMEs of different versions. A level or a delay that is wrong costs more.
const WITHOUT_LAME: Build = Build {
    start: |spec, output| encoder_without_lame(spec, output, Some(&ffmpeg())),
    slack_db: 10.0,
};

/// Two sweeps, different in the channels, whose phase is unlike itself at any other time.
fn sweeps(rate: u32, frames: usize) -> Stereo {
    let sweep = |from: f64, to: f64| {
        (0..frames).map(move |index| {
            let time = index as f64 / f64::from(rate);
            let phase = from * time + (to - from) * time * time / 4.0;
            (0.4 * (std::f64::consts::TAU * phase).sin()) as f32
        })
    };
    Stereo::from_planes(sweep(110.0, 6_000.0).collect(), sweep(3_000.0, 90.0).collect()).unwrap()
}

fn resampled(audio: &Stereo, from: u32, to: u32) -> Stereo {
    let mut resampler = Resampler::new(Hertz(from), Hertz(to)).unwrap();
    let mut out = Stereo::new();
    resampler.push(audio, &mut out);
    resampler.finish(&mut out);
    out
}

/// The lag, in frames, at which a part of the decoded audio is most like the source.
fn delay(source: &[f32], decoded: &[f32]) -> i64 {
    let part = |audio: &[f32], lag: i64| {
        let start = usize::try_from(20_000 + lag).unwrap();
        audio[start..start + 1_024].to_vec()
    };
    let source = part(source, 0);
    let likeness = |lag: &i64| {
        let product: f64 =
            source.iter().zip(part(decoded, *lag)).map(|(&a, b)| f64::from(a) * f64::from(b)).sum();
        product
    };
    (-1_500..1_500).max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap()
}

fn snr_db(source: &[f32], decoded: &[f32]) -> f64 {
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|s| s * s).sum::<f64>();
    let signal = power(&mut source.iter().map(|&s| f64::from(s)));
    let noise = source.iter().zip(decoded).map(|(&a, &b)| f64::from(a) - f64::from(b));
    10.0 * (signal / power(&mut noise.into_iter()).max(1e-30)).log10()
}

/// What FFmpeg has to find.
struct Expected {
    /// The rate in the file, of audio at 44,100, 48,000 and 96,000 Hz.
    rates: [u32; 3],
    /// Least signal-to-noise ratio in dB.
    snr_db: f64,
    /// Kilobits per second with two channels and with one; `None` for formats without loss.
    kbits: Option<[f64; 2]>,
}

fn expected(format: FileFormat) -> Expected {
    let of = |rates, snr_db, kbits| Expected { rates, snr_db, kbits };
    let same = [44_100, 48_000, 96_000];
    match format {
        FileFormat::WavF32 => of(same, 200.0, None),
        FileFormat::WavS24 | FileFormat::Flac | FileFormat::Aiff | FileFormat::M4aAlac => {
            of(same, 132.0, None)
        }
        // Of rounding and dither.
        FileFormat::WavS16 | FileFormat::FlacS16 | FileFormat::AiffS16 | FileFormat::M4aAlacS16 => {
            of(same, 80.0, None)
        }
        FileFormat::Opus => of([48_000; 3], 20.0, Some([160.0, 96.0])),
        // FFmpeg leaves in the end of the last packet: see `mp4`.
        FileFormat::M4aAac => of(same, 24.0, Some([256.0, 128.0])),
        FileFormat::Mp3 => of([44_100, 48_000, 48_000], 50.0, Some([256.0, 128.0])),
    }
}

#[track_caller]
fn check(build: Build, format: FileFormat, channels: usize, column: usize) {
    let rate = [44_100, 48_000, 96_000][column];
    let expected = expected(format);
    let audio = sweeps(rate, 2 * rate as usize + 123);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stem");
    let spec = FileSpec {
        format,
        channels,
        rate: Hertz(rate),
        frames: audio.frames(),
        bitrate: None,
        dither_seed: 1,
        tags: None,
    };
    let mut file = (build.start)(&spec, Output::create(&path).unwrap()).unwrap();
    let mut streamed = (build.start)(&spec, Output::Stream(Box::new(Vec::new()))).unwrap();
    for at in (0..audio.len()).step_by(10_007) {
        let block = audio.slice(at..audio.len().min(at + 10_007));
        assert_eq!(file.write(&block).unwrap(), 0);
        streamed.write(&block).unwrap();
    }
    file.finish().unwrap();
    streamed.finish().unwrap();

    let bytes = std::fs::read(&path).unwrap();
    let workshop = Workshop::new();
    let name = format!("stem.{}", format.extension());
    workshop.write(&name, &bytes);
    let decoded = workshop.stereo(&name, channels, "");
    let coded = expected.rates[column];
    let source = resampled(&audio, rate, coded);
    let row = format!("{} {channels} ch {rate} Hz", format.name());
    assert_eq!(decoded.frames(), audio.frames().resampled(Hertz(rate), Hertz(coded)), "{row}");
    let mono: Vec<f32> = source.mono().collect();
    let planes = if channels == 1 { [&mono[..]; 2] } else { source.planes() };
    let found = decoded.planes();
    let is_lossy = expected.kbits.is_some();
    // Files without loss are equal at no other lag.
    let delay = |channel| if is_lossy { delay(planes[channel], found[channel]) } else { 0 };
    let delays = [0, 1].map(delay);
    let snr = [0, 1].map(|channel| snr_db(planes[channel], found[channel]));
    let least = snr[0].min(snr[1]);
    let kbits = bytes.len() as f64 * 8.0 / 1000.0 / (audio.len() as f64 / f64::from(rate));
    println!("{row}: {} frames, delay {delays:?}, {least:.1} dB, {kbits:.0} kbit/s", decoded.len());
    assert_eq!(delays, [0, 0], "{row}");
    assert!(least > expected.snr_db - build.slack_db, "{row}: {least:.1} dB");
    if let Some(wanted) = expected.kbits {
        let wanted = wanted[2 - channels];
        assert!((0.4..1.2).contains(&(kbits / wanted)), "{row}: {kbits:.0} kbit/s");
    }
}

#[track_caller]
fn check_all(formats: &[FileFormat]) {
    for &format in formats {
        for channels in [2, 1] {
            (0..3).for_each(|column| check(USUAL, format, channels, column));
        }
    }
}

#[test]
fn files_without_compression_are_exact() {
    check_all(&[FileFormat::WavF32, FileFormat::WavS24, FileFormat::WavS16]);
    check_all(&[FileFormat::Aiff, FileFormat::AiffS16]);
}

#[test]
fn flac_is_exact() {
    check_all(&[FileFormat::Flac, FileFormat::FlacS16]);
}

#[test]
fn alac_is_exact() {
    check_all(&[FileFormat::M4aAlac, FileFormat::M4aAlacS16]);
}

#[test]
fn opus_has_the_exact_length() {
    check_all(&[FileFormat::Opus]);
}

#[cfg(feature = "mp3")]
#[test]
fn mp3_has_the_exact_length() {
    check_all(&[FileFormat::Mp3]);
}

#[test]
fn mp3_by_ffmpeg_has_the_exact_length() {
    check(WITHOUT_LAME, FileFormat::Mp3, 2, 0);
    check(WITHOUT_LAME, FileFormat::Mp3, 1, 2);
}

/// Lengths at which lossy encoders begin or end another frame, down to one frame of audio.
#[track_caller]
fn check_lengths(build: Build, format: FileFormat, rate: u32) {
    let audio = sweeps(rate, 5_000);
    for frames in [1, 2, 575, 576, 577, 647, 648, 649, 960, 1151, 1152, 1153, 1728, 4_999] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("stem.{}", format.extension()));
        let spec = FileSpec {
            format,
            channels: 2,
            rate: Hertz(rate),
            frames: Frames(frames),
            bitrate: None,
            dither_seed: 0,
            tags: None,
        };
        let mut file = (build.start)(&spec, Output::create(&path).unwrap()).unwrap();
        file.write(&audio.slice(0..frames as usize)).unwrap();
        file.finish().unwrap();
        let workshop = Workshop::new();
        let decoded = workshop.stereo_of(&["-i", path.to_str().unwrap()], 2);
        assert_eq!(decoded.frames(), Frames(frames), "{} of {frames}", format.name());
    }
}

#[test]
fn every_length_is_exact() {
    check_lengths(USUAL, FileFormat::Opus, 48_000);
    #[cfg(feature = "mp3")]
    check_lengths(USUAL, FileFormat::Mp3, 44_100);
    check_lengths(WITHOUT_LAME, FileFormat::Mp3, 44_100);
}
