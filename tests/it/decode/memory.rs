//! Memory does not grow with the length of the audio.
//!
//! Memory is that of the whole process, so this test runs in a process of its own.

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::process::in_own_process;
use crate::support::uploads::Repeating;
use stemwire::decode::{DecodeLimits, Decoder, Input};

/// Repetitions of two seconds: half an hour.
const TIMES: u64 = 900;
const SECONDS: u64 = 2;
const RATE: u32 = 8_000;

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn half_an_hour_takes_no_more_memory_than_a_minute() {
    let name = "half_an_hour_takes_no_more_memory_than_a_minute";
    in_own_process(module_path!(), name, decode_half_hours);
}

fn decode_half_hours() {
    let workshop = Workshop::new();
    for (arguments, name, repeated) in [
        ("-c:a pcm_s16le", "a.wav", &b"RIFF"[..]),
        ("-c:a flac", "a.flac", b"fLaC"),
        ("-c:a libmp3lame -b:a 16k", "a.mp3", b"ID3"),
        ("-c:a libvorbis -q:a 0", "a.ogg", b"OggS"),
        ("-c:a aac -b:a 16k -movflags +frag_keyframe+empty_moov", "a.mp4", b"moof"),
    ] {
        let mut head = workshop.make(&signal(RATE, 1, SECONDS as f64), arguments, name);
        // Whole files are repeated, and of an MP4 its only fragment.
        let at = head.windows(repeated.len()).position(|bytes| bytes == repeated).unwrap();
        let mut body = head.split_off(at.saturating_sub(if repeated == b"moof" { 4 } else { 0 }));
        if let Some(index) = body.windows(4).position(|bytes| bytes == b"mfra") {
            body.truncate(index - 4);
        }
        let upload = Box::new(Repeating { head, body, times: TIMES });
        let mut decoder =
            Decoder::open(upload, &Input::Container, &DecodeLimits::default()).unwrap();
        let (mut frames, mut early) = (0, None);
        while let Some(block) = decoder.next_block().unwrap() {
            frames += block.audio.frames().0;
            if frames > 60 * u64::from(RATE) {
                early.get_or_insert_with(resident);
            }
        }
        let seconds = frames / u64::from(RATE);
        assert!((TIMES * SECONDS..TIMES * SECONDS * 12 / 10).contains(&seconds), "{seconds} s");
        assert_eq!(decoder.report().damaged_packets, 0, "{name}");
        let grown = resident().saturating_sub(early.unwrap());
        assert!(grown < 2048, "{name}: {grown} kB more after half an hour");
    }
}
