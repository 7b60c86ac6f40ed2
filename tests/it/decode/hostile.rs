//! Thousands of broken uploads of every format: no panic, no endless loop, no endless output.

use std::collections::BTreeMap;
use std::panic;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mp4::{PAUSE, with_edits};
use crate::support::mutate::{Random, mend_ogg, mutate};
use crate::support::uploads;
use stemwire::decode::{DecodeLimits, Decoder, Input};

/// Broken uploads per format; `STEMWIRE_MUTATIONS` sets another number.
const MUTATIONS: u64 = 500;
/// Time limit for an upload of a few kilobytes: a longer time is a hang on any machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Limit of decoded frames per upload: inserted silence, and the rest.
const MOST_FRAMES: u64 = 10 * 60 * 48_000 + 40_000_000;

const FILES: [(&str, &str); 29] = [
    ("-c:a pcm_s16le", "a.wav"),
    ("-c:a pcm_f64le -rf64 always", "rf64.wav"),
    ("-c:a pcm_s24le -f w64", "a.w64"),
    ("-c:a pcm_s16be", "a.aiff"),
    ("-c:a pcm_f32be", "f32.aiff"),
    ("-c:a flac", "a.flac"),
    ("-c:a flac", "flac.ogg"),
    ("-c:a flac -strict -2 -sample_fmt s16 -movflags +faststart", "flac.mp4"),
    ("-c:a libmp3lame -b:a 64k", "a.mp3"),
    ("-c:a libmp3lame -b:a 64k -write_xing 0 -id3v2_version 0", "bare.mp3"),
    ("-c:a libvorbis -q:a 1", "a.ogg"),
    ("-c:a libopus -b:a 48k", "opus.webm"),
    ("-c:a libvorbis -q:a 1", "vorbis.webm"),
    ("-c:a flac -cluster_time_limit 100", "flac.mkv"),
    ("-c:a aac -b:a 64k", "a.aac"),
    ("-c:a mp2 -b:a 64k", "a.mp2"),
    ("-c:a pcm_s16le -movflags +faststart", "pcm.mov"),
    ("-c:a libmp3lame -b:a 64k -movflags +faststart", "mp3.mp4"),
    ("-c:a libopus -b:a 48k -movflags +faststart", "opus.mp4"),
    ("-c:a libvorbis -ac 6 -q:a 0", "six.ogg"),
    ("-c:a libopus -b:a 48k", "opus.ogg"),
    ("-c:a aac -b:a 64k", "last.m4a"),
    ("-c:a aac -b:a 64k -movflags +faststart", "first.m4a"),
    ("-c:a aac -b:a 64k -movflags +frag_keyframe+empty_moov -frag_duration 100000", "parts.mp4"),
    ("-c:a alac -movflags +faststart", "alac.m4a"),
    ("-c:a pcm_s16le -movie_timescale 1000", "edits.mov"),
    ("-c:a aac -b:a 64k", "aac.mkv"),
    ("-c:a pcm_s16le", "pcm.mkv"),
    ("", "layer_1.mp1"),
];

/// FFmpeg does not encode it.
const LAYER_1: &[u8] = include_bytes!("../../golden/layer_1/tones.mp1");

const EDITS: [(u32, i32); 4] = [(50, 0), (70, PAUSE), (100, 2000), (100, 6000)];

/// Decodes and returns the number of frames.
fn count(bytes: &[u8]) -> u64 {
    let limits = DecodeLimits::default();
    let mut frames = 0;
    let Ok(mut decoder) = Decoder::open(uploads::complete(bytes), &Input::Container, &limits)
    else {
        return 0;
    };
    while let Ok(Some(block)) = decoder.next_block() {
        frames += block.audio.frames().0;
        assert!(!block.audio.is_empty());
        assert!(block.audio.planes().concat().iter().all(|sample| sample.is_finite()));
        assert!(frames < MOST_FRAMES, "there is no end");
    }
    frames
}

/// Panics of codecs by location, with their number.
type Panics = Arc<Mutex<BTreeMap<String, u64>>>;

/// Prints every broken upload before it is decoded.
fn torment(
    name: &'static str,
    original: &[u8],
    mutations: u64,
    heartbeat: &SyncSender<(&'static str, u64)>,
) {
    let mut random = Random(original.len() as u64);
    for number in 0..mutations {
        let mut bytes = mutate(original, &mut random);
        // Half of them get through to the codec.
        if name.ends_with("ogg") && number % 2 == 0 {
            mend_ogg(&mut bytes);
        }
        heartbeat.send((name, number)).unwrap();
        count(&bytes);
    }
}

#[test]
fn broken_uploads_do_no_harm() {
    let mutations = std::env::var("STEMWIRE_MUTATIONS")
        .map_or(MUTATIONS, |number| number.parse().expect("STEMWIRE_MUTATIONS is a number"));
    let workshop = Workshop::new();
    let files = FILES.map(|(arguments, name)| {
        if name == "layer_1.mp1" {
            return (name, LAYER_1.to_vec());
        }
        let bytes = workshop.make(&signal(22_050, 2, 0.4), arguments, name);
        let is_edited = name == "edits.mov";
        (name, if is_edited { with_edits(&bytes, &EDITS) } else { bytes })
    });
    // The first decoding sets the hook that keeps codecs quiet; the one below must hear them first.
    assert!(count(&files[0].1) > 0);
    // A codec may panic, and is caught; nothing else may.
    let panics = Panics::default();
    let seen = panics.clone();
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(|place| place.to_string()).unwrap_or_default();
        match ["symphonia", "opus-pure", "lewton"].iter().any(|codec| place.contains(codec)) {
            true => *seen.lock().unwrap().entry(place).or_default() += 1,
            false => default(info),
        }
    }));
    let (heartbeat, beats) = sync_channel(4);
    let workers: Vec<_> = files
        .chunks(FILES.len().div_ceil(2))
        .map(|part| {
            let (part, heartbeat) = (part.to_vec(), heartbeat.clone());
            thread::spawn(move || {
                for (name, bytes) in &part {
                    torment(name, bytes, mutations, &heartbeat);
                }
            })
        })
        .collect();
    drop(heartbeat);
    let mut last = BTreeMap::new();
    loop {
        match beats.recv_timeout(PATIENCE) {
            Ok((name, number)) => drop(last.insert(name, number)),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("one of these does not end: {last:?}"),
        }
    }
    for worker in workers {
        worker.join().expect("no upload makes decoding panic");
    }
    assert_eq!(last.len(), FILES.len());
    println!("panics of codecs that were caught: {:#?}", panics.lock().unwrap());
}
