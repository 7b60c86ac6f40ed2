//! FFmpeg, to create files and to decode them independently.

use std::path::PathBuf;
use std::process::{Command, Output};

use stemwire::audio::{Encoding, Stereo};
use stemwire::encode::Ffmpeg;
use stemwire::separation::DecoderConfig;
use stemwire::separation::decoder::ffmpeg::choice::FfmpegChoice;

use super::pipeline::DECODER;

/// A temporary directory in which FFmpeg works.
pub struct Workshop {
    directory: tempfile::TempDir,
}

/// The signal of files unless a test uses another one: two sweeps and noise.
pub fn signal(rate: u32, channels: usize, seconds: f64) -> String {
    let voices = [
        "0.35*sin(2*PI*(110+900*t)*t)+0.1*(random(0)-0.5)",
        "0.3*cos(2*PI*(190+650*t)*t)+0.1*(random(1)-0.5)",
        "0.25*sin(2*PI*330*t)+0.05*(random(2)-0.5)",
        "0.4*sin(2*PI*55*t)",
        "0.2*sin(2*PI*(500+100*t)*t)+0.1*(random(3)-0.5)",
        "0.2*cos(2*PI*(700+50*t)*t)+0.1*(random(4)-0.5)",
        "0.15*sin(2*PI*1100*t)",
        "0.15*cos(2*PI*1300*t)",
    ];
    let layout = ["mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"];
    let (voices, layout) = (voices[..channels].join("|"), layout[channels - 1]);
    format!("aevalsrc=exprs={voices}:s={rate}:d={seconds}:c={layout}")
}

/// FFmpeg.
pub fn program() -> PathBuf {
    std::env::var_os("STEMWIRE_FFMPEG").unwrap_or_else(|| "ffmpeg".into()).into()
}

impl Workshop {
    pub fn new() -> Workshop {
        let directory = tempfile::tempdir().expect("a temporary directory can be created");
        Workshop { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Encodes a `lavfi` signal and returns the bytes. `arguments` precede the file name, separated by spaces.
    pub fn make(&self, signal: &str, arguments: &str, name: &str) -> Vec<u8> {
        let mut all = vec!["-f", "lavfi", "-i", signal, "-bitexact"];
        all.extend(arguments.split_ascii_whitespace());
        all.push(name);
        self.must(&all);
        std::fs::read(self.path(name)).expect("FFmpeg has written it")
    }

    /// The same through a pipe, so that FFmpeg cannot correct sizes in headers afterwards.
    pub fn pipe(&self, signal: &str, arguments: &str) -> Vec<u8> {
        let mut all = vec!["-f", "lavfi", "-i", signal, "-bitexact"];
        all.extend(arguments.split_ascii_whitespace());
        all.push("-");
        self.must(&all).stdout
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("the directory can be written");
    }

    /// FFmpeg's decoding of an input, interleaved, with its number of channels. The arguments name the input, with options
    /// before and after it.
    fn samples(&self, input: &[&str]) -> Vec<f32> {
        let output = ["-c:a", "pcm_f32le", "-f", "f32le", "-"];
        Encoding::F32Le.read(&self.must(&[input, &output].concat()).stdout).collect()
    }

    /// The same as stereo: mono twice, stereo unchanged.
    pub fn stereo_of(&self, input: &[&str], channels: usize) -> Stereo {
        let samples = self.samples(input);
        match channels {
            1 => Stereo::from_planes(samples.clone(), samples).expect("one is as long as itself"),
            _ => Stereo::from_interleaved(&samples),
        }
    }

    /// FFmpeg's decoding of a file. `arguments` follow its name, separated by spaces.
    pub fn stereo(&self, name: &str, channels: usize, arguments: &str) -> Stereo {
        let mut input = vec!["-i", name];
        input.extend(arguments.split_ascii_whitespace());
        self.stereo_of(&input, channels)
    }

    /// Runs FFmpeg, which must succeed.
    pub fn must(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ffmpeg {arguments:?}: {errors}");
        output
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let program = program();
        let mut command = Command::new(&program);
        command.args(["-hide_banner", "-nostdin", "-v", "error", "-y"]).args(arguments);
        command.current_dir(self.directory.path()).output().unwrap_or_else(|error| {
            panic!(
                "these tests need FFmpeg: {program:?} cannot be run ({error}); install it, or name \
                 it in STEMWIRE_FFMPEG"
            )
        })
    }
}

/// The FFmpeg of the other functions, confined, as an encoder.
pub fn ffmpeg() -> Ffmpeg {
    let choice: FfmpegChoice =
        std::env::var("STEMWIRE_FFMPEG").unwrap_or("auto".into()).parse().unwrap();
    let config = DecoderConfig {
        program: DECODER.into(),
        ffmpeg: choice.find().unwrap(),
        ..DecoderConfig::from_here().unwrap()
    };
    config.ffmpeg().expect("these tests need FFmpeg")
}
