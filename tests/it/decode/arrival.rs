//! Growing uploads: decoding follows them, and the result does not depend on how they arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mutate::Random;
use crate::support::uploads::{Growing, Pieces};
use crate::support::{decode, decode_upload};
use stemwire::audio::{Encoding, Hertz};
use stemwire::decode::{DecodeLimits, Decoder, Input};

const RATE: u32 = 32_000;
const SECONDS: f64 = 4.0;

/// Every container with every codec: FFmpeg's arguments, the name, and whether packets are found before the end.
const FILES: [(&str, &str, bool); 18] = [
    ("-c:a pcm_s16le", "a.wav", true),
    ("-c:a pcm_s24le -f w64", "a.w64", true),
    ("-c:a pcm_s16be", "a.aiff", true),
    ("-c:a flac", "a.flac", true),
    ("-c:a libmp3lame -b:a 96k", "a.mp3", true),
    ("-c:a libvorbis", "vorbis.ogg", true),
    ("-c:a flac -page_duration 100000", "flac.ogg", true),
    ("-c:a aac -movflags +faststart", "first.m4a", true),
    ("-c:a alac -movflags +faststart", "alac.m4a", true),
    ("-c:a flac -strict -2 -sample_fmt s16 -movflags +faststart", "flac.mp4", true),
    ("-c:a aac -movflags +frag_keyframe+empty_moov -frag_duration 200000", "parts.mp4", true),
    ("-c:a libopus -page_duration 100000", "opus.ogg", true),
    ("-c:a flac", "flac.mkv", true),
    ("-c:a aac", "a.aac", true),
    ("-c:a mp2", "a.mp2", true),
    ("-c:a pcm_s16le -movflags +faststart", "pcm.mov", true),
    ("-c:a aac", "last.m4a", false),
    ("-c:a alac", "last-alac.m4a", false),
];

#[test]
fn the_pieces_do_not_matter() {
    let workshop = Workshop::new();
    for (arguments, name, _) in FILES {
        let bytes = workshop.make(&signal(RATE, 2, 0.7), arguments, name);
        let expected = decode(&bytes).unwrap();
        for most in [1, 7, 5000] {
            let decoded = decode_upload(Pieces::new(&bytes, most), &Input::Container).unwrap();
            assert!(decoded == expected, "{name} in pieces of up to {most}");
        }
        let growing = Growing::default();
        let writer = growing.clone();
        let feeder = thread::spawn(move || {
            let mut random = Random(bytes.len() as u64);
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let count = rest.len().min(1 + random.below(9000) as usize);
                writer.push(&rest[..count]);
                rest = &rest[count..];
                thread::sleep(Duration::from_micros(random.below(300)));
            }
            writer.finish();
        });
        let decoded = decode_upload(Box::new(growing), &Input::Container).unwrap();
        feeder.join().unwrap();
        assert!(decoded == expected, "{name}, growing");
    }
}

/// Decodes the first `part` of an upload that then stalls; returns the seconds decoded.
fn follow(bytes: &[u8], part: f64, input: Input) -> f64 {
    let growing = Growing::default();
    growing.push(&bytes[..(bytes.len() as f64 * part) as usize]);
    let upload = growing.clone();
    let frames = Arc::new(AtomicU64::new(0));
    let counter = frames.clone();
    let reader = thread::spawn(move || {
        let mut decoder =
            Decoder::open(Box::new(upload), &input, &DecodeLimits::default()).unwrap();
        while let Some(block) = decoder.next_block().unwrap() {
            counter.fetch_add(block.audio.frames().0, Ordering::SeqCst);
        }
    });
    growing.wait_until_starved();
    let early = frames.load(Ordering::SeqCst);
    growing.push(&bytes[(bytes.len() as f64 * part) as usize..]);
    growing.finish();
    reader.join().unwrap();
    assert!(frames.load(Ordering::SeqCst) > early);
    early as f64 / f64::from(RATE)
}

#[test]
fn audio_is_decoded_during_the_upload() {
    let workshop = Workshop::new();
    for (arguments, name, is_early) in FILES {
        let bytes = workshop.make(&signal(RATE, 2, SECONDS), arguments, name);
        let seconds = follow(&bytes, 0.6, Input::Container);
        if is_early {
            // Half a second may be on its way: a page, a fragment, a packet.
            let late = 0.6 * SECONDS - seconds;
            assert!(late < 0.5, "{name}: {late} s late");
        } else {
            assert_eq!(seconds, 0.0, "{name}");
        }
    }
}

#[test]
fn a_decoder_moves_to_its_thread() {
    fn moves<T: Send>() {}
    moves::<Decoder>();
}

#[test]
fn live_audio_is_decoded_at_once() {
    let bytes = [0, 1].repeat(RATE as usize * 4);
    let input = Input::Raw { encoding: Encoding::S16Le, rate: Hertz(RATE), channels: 1 };
    let seconds = follow(&bytes, 0.5, input);
    assert!(seconds > 2.0 - 0.13, "{seconds} s of 2 s");
}

#[test]
fn an_upload_that_is_called_off_ends_the_decoding() {
    struct Broken;
    impl stemwire::decode::ReadAt for Broken {
        fn read_at(&mut self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
            let count = into.len().min(100_000_usize.saturating_sub(offset as usize));
            into[..count].fill(0x11);
            if count == 0 { Err(std::io::Error::other("called off")) } else { Ok(count) }
        }
    }
    let input = Input::Raw { encoding: Encoding::S16Le, rate: Hertz(RATE), channels: 2 };
    let error = decode_upload(Box::new(Broken), &input).unwrap_err();
    assert_eq!(error.to_string(), "the upload cannot be read");
}
