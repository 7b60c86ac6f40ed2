//! SCNet's stems against those of the reference implementation, and what holds of them without one.
//!
//! `tests/golden/make_scnet_golden.py` made the golden files.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use stemwire::audio::{Encoding, Frames, Stereo};
use stemwire::session::settings::Normalization;
use stemwire::session::{Session, Settings};

use crate::support::golden::{mixture, snr};
use crate::support::pipeline::{
    golden, mixture_upload, read_wav, separate, separations, stem, wait_for, wav,
};

const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// Minimum SNR against the golden files, in dB.
const LEAST_SNR: f64 = 100.0;

/// Frames of a segment.
const SEGMENT: usize = 65_000;

/// Overlaps, channels and frames of a case.
type Key = (u32, usize, usize);

/// For each excerpt its first frame, and the left and the right channel of every stem.
type Excerpts = Vec<(usize, Vec<[Vec<f32>; 2]>)>;

fn cases(file: &str, count: usize) -> BTreeMap<Key, Excerpts> {
    let bytes = fs::read(golden().join(file)).unwrap();
    let mut cases: BTreeMap<_, Excerpts> = BTreeMap::new();
    for (key, tensor) in SafeTensors::deserialize(&bytes).unwrap().iter() {
        let [overlaps, channels, frames, start] =
            key.split('/').map(|part| part.parse::<usize>().unwrap()).collect::<Vec<_>>()[..]
        else {
            panic!("{key}")
        };
        let samples: Vec<f32> = Encoding::F32Le.read(tensor.data()).collect();
        let length = tensor.shape()[2];
        let channel: Vec<Vec<f32>> = samples.chunks(length).map(<[f32]>::to_vec).collect();
        let excerpt = channel.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
        let case = cases.entry((overlaps as u32, channels, frames)).or_default();
        case.push((start, excerpt));
    }
    assert_eq!(cases.len(), count);
    cases
}

fn settings(normalization: Normalization, overlap: Option<f64>) -> Settings {
    let model = Some("scnet-tiny".to_owned());
    Settings { model, normalization, overlap, ..Settings::default() }
}

/// The golden files' mixture as an upload of one or two channels.
fn upload(channels: usize, frames: usize) -> Vec<u8> {
    mixture_upload(channels, frames, 1.0)
}

#[track_caller]
fn check(session: &Session, (overlaps, channels, frames): Key, excerpts: &Excerpts) {
    for (index, name) in STEMS.iter().enumerate() {
        let found = stem(session, name);
        assert_eq!(found.frames(), Frames::from_len(frames), "{name}");
        let pairs = excerpts.iter().flat_map(|(start, stems)| {
            let channels = stems[index].iter().zip(found.planes());
            channels.flat_map(move |(expected, found)| expected.iter().zip(&found[*start..]))
        });
        let snr = snr(pairs);
        println!("{overlaps} overlaps, {channels} channels, {frames} frames, {name}: {snr:.1} dB");
        assert!(snr >= LEAST_SNR, "{overlaps} {channels} {frames} {name}: {snr:.1} dB");
    }
}

#[test]
fn stems_with_the_references_windows_are_the_references() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    for (key, excerpts) in cases("scnet.safetensors", 11) {
        let (overlaps, channels, frames) = key;
        let overlap = Some(1.0 - 1.0 / f64::from(overlaps));
        let exact = settings(Normalization::Exact, overlap);
        let session = separate(&separations, exact, &upload(channels, frames));
        check(&session, key, &excerpts);
        // The first segment is the whole track, so that its level is.
        if frames < SEGMENT {
            let streaming = settings(Normalization::Streaming, overlap);
            let session = separate(&separations, streaming, &upload(channels, frames));
            check(&session, key, &excerpts);
        }
    }
}

/// The topology of SCNet XL IHF, which sees the track as it is: nothing depends on a level.
#[test]
fn an_unnormalised_network_yields_the_references_stems_in_any_mode() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    for (key, excerpts) in cases("scnet-xl.safetensors", 2) {
        let (overlaps, channels, frames) = key;
        for normalization in [Normalization::Exact, Normalization::Streaming] {
            let overlap = Some(1.0 - 1.0 / f64::from(overlaps));
            let model = Some("scnet-xl-tiny".to_owned());
            let settings = Settings { model, ..settings(normalization, overlap) };
            let session = separate(&separations, settings, &upload(channels, frames));
            check(&session, key, &excerpts);
            assert!(session.manifest().level.is_none());
        }
    }
}

#[test]
fn silence_stays_silence() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    for overlap in [None, Some(0.5)] {
        let upload = wav(&Stereo::zeros(SEGMENT + 1), 44_100);
        let session = separate(&separations, settings(Normalization::Exact, overlap), &upload);
        for name in STEMS {
            let found = stem(&session, name);
            assert_eq!(found.len(), SEGMENT + 1);
            assert!(found.planes().into_iter().flatten().all(|sample| sample.abs() <= 1e-6));
        }
    }
}

#[test]
fn streaming_records_the_level_of_the_first_segment() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    let streaming = settings(Normalization::Streaming, None);
    let session = separate(&separations, streaming, &upload(2, 3 * SEGMENT));
    let level = session.manifest().level.unwrap();
    let mix = mixture(&read_wav(&golden().join("clip.wav")), SEGMENT, 1.0);
    let mono = mix.left().iter().zip(mix.right());
    let mono = || mono.clone().map(|(left, right)| f64::from(left + right) / 2.0);
    let mean = mono().sum::<f64>() / SEGMENT as f64;
    let deviation = (mono().map(|x| (x - mean).powi(2)).sum::<f64>() / SEGMENT as f64).sqrt();
    assert_eq!(level.frames, Frames::from_len(SEGMENT));
    assert!((level.mean - mean).abs() < 1e-8 && (level.deviation / deviation - 1.0).abs() < 1e-4);
    let notices = session.manifest().notices.clone();
    assert!(notices.iter().any(|notice| notice.contains("first 1.5 s")), "{notices:?}");
}

/// Uploads all but the end, restarts the server after two commits, and uploads the rest.
#[track_caller]
fn check_restart(overlap: Option<f64>) {
    let settings = || settings(Normalization::Streaming, overlap);
    let upload = upload(2, 4 * SEGMENT + 1);
    let stems = |session: &Arc<Session>| -> Vec<Vec<u8>> {
        let bytes = |name: &str| fs::read(session.layout().stem(&name.parse().unwrap())).unwrap();
        STEMS.map(bytes).to_vec()
    };
    let data = tempfile::tempdir().unwrap();
    let whole = {
        let separations = separations(data.path(), Some(&golden()), 2);
        stems(&separate(&separations, settings(), &upload))
    };
    let most = upload.len() * 3 / 4;
    let separations_before = separations(data.path(), Some(&golden()), 2);
    let (session, _) = separations_before.create(settings()).unwrap();
    separations_before.add_bytes(&session, 0, &upload[..most]).unwrap();
    wait_for(|| session.manifest().commit.segments >= 2);
    let id = session.id();
    separations_before.close(Instant::now() + Duration::from_secs(60));
    drop((session, separations_before));

    let separations = separations(data.path(), Some(&golden()), 2);
    let session = separations.find(id).unwrap();
    assert!(session.manifest().level.is_some());
    separations.add_bytes(&session, most as u64, &upload[most..]).unwrap();
    separations.finish_upload(&session, upload.len() as u64, None).unwrap();
    separations.wait(&session, Duration::from_secs(600));
    assert!(stems(&session) == whole, "other bytes after a restart");
}

#[test]
fn a_restart_changes_no_byte() {
    check_restart(None);
    check_restart(Some(0.75));
}

#[test]
fn the_plan_names_the_windows() {
    let data = tempfile::tempdir().unwrap();
    let separations = separations(data.path(), Some(&golden()), 2);
    for (asked, overlap, windows) in [
        (None, 0.25, "centred"),
        (Some(0.4), 0.4, "centred"),
        (Some(0.5), 0.5, "mirrored"),
        (Some(0.6), 2.0 / 3.0, "mirrored"),
        (Some(0.75), 0.75, "mirrored"),
    ] {
        let (session, _) = separations.create(settings(Normalization::Streaming, asked)).unwrap();
        let plan = session.manifest().plan.clone();
        assert!((plan.overlap - overlap).abs() < 1e-9, "{asked:?}: {}", plan.overlap);
        assert_eq!(serde_json::to_value(plan.windows).unwrap(), windows, "{asked:?}");
    }
}
