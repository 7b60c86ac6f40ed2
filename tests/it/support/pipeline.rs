//! Whole separations: the pipeline in this process, with decoders from the real binary.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use stemwire::audio::Stereo;
use stemwire::engine::pool::{Pool, PoolConfig};
use stemwire::engine::runtime::locate::RUNTIME_VARIABLE;
use stemwire::engine::runtime::{LibrarySearch, install};
use stemwire::engine::{Chain, Provider, Runtime};
use stemwire::model::AvailableModels;
use stemwire::separation::{Config, DecoderConfig, Limits, Separations};
use stemwire::session::{Session, SessionState, Settings, Store};

use super::golden::mixture;

/// The folder of the golden files.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// ONNX Runtime, installed if it is missing.
pub fn runtime() -> Runtime {
    Runtime::load(&LIBRARY).unwrap()
}

/// Path of the library. Behind a lock: two tests must not install it at once.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let search =
        LibrarySearch::from_here(None, std::env::var_os(RUNTIME_VARIABLE).map(PathBuf::from));
    search.find().map(|found| found.path).unwrap_or_else(|_| {
        let cache = search.cache.clone().expect("the system names a cache folder");
        install::install(Provider::Cpu, None, &cache, &mut |_| {}).unwrap()
    })
});

/// Separations in `data` with the models in `models`, decoding in children of the real binary.
pub fn separations(data: &Path, models: Option<&Path>, threads: usize) -> Separations {
    let available = AvailableModels::open(models);
    assert!(available.faults().is_empty(), "{:?}", available.faults());
    let chain = Chain::of(&[], &available).unwrap();
    let pool = Pool::start(PoolConfig::for_threads(threads), runtime()).unwrap();
    open(data, pool, available, chain)
}

/// The default decoder configuration.
pub const DECODER: &str = env!("CARGO_BIN_EXE_stemwire");

/// Separations in `data` with these workers and models.
pub fn open(data: &Path, pool: Pool, available: AvailableModels, chain: Chain) -> Separations {
    open_within(limits(), decoder(Path::new(DECODER)), data, pool, available, chain)
}

/// The usual limits, but for the free space.
pub fn limits() -> Limits {
    Limits { free_bytes: 0, ..Limits::default() }
}

/// A decoder that is this program.
pub fn decoder(program: &Path) -> DecoderConfig {
    DecoderConfig {
        program: program.into(),
        memory: 1 << 30,
        processor_time: Duration::from_secs(600),
        // Runs look for changes at intervals of a sixtieth of it. A change that notifies no run makes a test wait longer
        // than it does.
        stall: Duration::from_secs(86_400),
        ..DecoderConfig::from_here().unwrap()
    }
}

/// The same within other limits, and with another decoder.
pub fn open_within(
    limits: Limits,
    decoder: DecoderConfig,
    data: &Path,
    pool: Pool,
    available: AvailableModels,
    chain: Chain,
) -> Separations {
    let config = Config { models: available, chain, decoder, limits };
    Separations::open(Store::open(data).unwrap(), pool, config).unwrap()
}

/// The golden files' mixture as an upload of one or two channels.
pub fn mixture_upload(channels: usize, frames: usize, level: f32) -> Vec<u8> {
    let mix = mixture(&read_wav(&golden().join("clip.wav")), frames, level);
    if channels == 2 {
        return wav(&mix, 44_100);
    }
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 44_100,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    mix.left().iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

/// Starts to separate a complete `upload`.
pub fn begin(separations: &Separations, settings: Settings, upload: &[u8]) -> Arc<Session> {
    let (session, _) = separations.create(settings).unwrap();
    separations.add_bytes(&session, 0, upload).unwrap();
    separations.finish_upload(&session, upload.len() as u64, None).unwrap();
    session
}

/// Separates `upload` and waits for the end, which must be DONE.
pub fn separate(separations: &Separations, settings: Settings, upload: &[u8]) -> Arc<Session> {
    let session = begin(separations, settings, upload);
    let state = separations.wait(&session, Duration::from_secs(600));
    assert_eq!(state, SessionState::Done, "{:?}", session.manifest().failure);
    session
}

/// A stem of a finished session.
pub fn stem(session: &Session, name: &str) -> Stereo {
    read_wav(&session.layout().stem(&name.parse().unwrap()))
}

/// A stereo WAV file of floats or 16-bit integers, read by hound.
pub fn read_wav(path: &Path) -> Stereo {
    let mut reader = hound::WavReader::open(path).unwrap();
    let samples: Vec<f32> = match reader.spec().sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(Result::unwrap).collect(),
        hound::SampleFormat::Int => {
            reader.samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect()
        }
    };
    Stereo::from_interleaved(&samples)
}

/// The bytes of a WAV file of floats.
pub fn wav(audio: &Stereo, rate: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for sample in audio.interleaved() {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

/// Waits until a condition holds; fails after a minute.
#[track_caller]
pub fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
