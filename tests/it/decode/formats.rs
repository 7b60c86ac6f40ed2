//! What formats state besides samples, compared with FFmpeg. The formats themselves are rows of the table.

use crate::support::compare::stereo_snr_db;
use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mutate::mend_ogg;
use crate::support::{decode, decode_upload, uploads};
use stemwire::audio::{Encoding, Hertz, Stereo};
use stemwire::decode::{Container, Input};

/// Length of the signals: not a multiple of any codec's packet.
const SECONDS: f64 = 0.9;

/// Makes a file of these channels, and compares its downmix with FFmpeg's.
#[track_caller]
fn check_downmix(name: &str, channels: usize, arguments: &str, db: f64) {
    let (workshop, rate) = (Workshop::new(), 48_000);
    let bytes = workshop.make(&signal(rate, channels, SECONDS), arguments, name);
    let decoded = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(decoded.report.is_clean(), "{name}: {:?}", decoded.report);
    assert_eq!(decoded.source.channels, channels as u32, "{name}");
    let mut expected = workshop.stereo(name, channels, "-af aresample=rematrix_maxval=1 -ac 2");
    let audio = decoded.only();
    assert_eq!(audio.len(), (SECONDS * f64::from(rate)).round() as usize, "{name}");
    // FFmpeg keeps a part of the padding of the last packet of Vorbis.
    assert!(expected.len().abs_diff(audio.len()) < 1024, "{name}: {}", expected.len());
    let mut audio = audio.clone();
    let both = expected.len().min(audio.len());
    expected.resize(both);
    audio.resize(both);
    let found = stereo_snr_db(&expected, &audio);
    assert!(found > db, "{name}: {found:.1} dB");
}

#[test]
fn mp3_without_a_tag_keeps_its_delay() {
    let workshop = Workshop::new();
    let arguments = "-c:a libmp3lame -b:a 128k -write_xing 0";
    let bytes = workshop.make(&signal(44_100, 2, SECONDS), arguments, "bare.mp3");
    let decoded = decode(&bytes).unwrap();
    let expected = workshop.stereo("bare.mp3", 2, "");
    assert_eq!(decoded.source.frames, None);
    assert_eq!(decoded.only().len(), expected.len());
    assert!(stereo_snr_db(&expected, decoded.only()) > 110.0);
}

#[test]
fn the_gain_in_an_opus_header_is_applied() {
    let workshop = Workshop::new();
    let mut bytes = workshop.make(&signal(48_000, 2, SECONDS), "-c:a libopus", "a.opus");
    let plain = decode(&bytes).unwrap();
    let head = bytes.windows(8).position(|magic| magic == b"OpusHead").unwrap();
    // -6 dB, in 1/256 dB.
    bytes[head + 16..head + 18].copy_from_slice(&(-6 * 256_i16).to_le_bytes());
    mend_ogg(&mut bytes);
    let quiet = decode(&bytes).unwrap();
    let gain = 10_f32.powf(-6.0 / 20.0);
    let pairs = quiet.only().left().iter().zip(plain.only().left());
    assert!(pairs.into_iter().all(|(quiet, plain)| (quiet - plain * gain).abs() < 1e-6));
}

#[test]
fn itunes_delay_and_length_are_applied() {
    let workshop = Workshop::new();
    let mut bytes = workshop.make(&signal(44_100, 2, SECONDS), "-c:a aac", "itunes.m4a");
    let by_edit_list = decode(&bytes).unwrap();
    let atom = |kind: &[u8], content: &[u8]| {
        [&(8 + content.len() as u32).to_be_bytes(), kind, content].concat()
    };
    let text = b" 00000000 000007D0 00000000 0000000000007530 00000000 00000000";
    let item = [
        atom(b"mean", b"\0\0\0\0com.apple.iTunes"),
        atom(b"name", b"\0\0\0\0iTunSMPB"),
        atom(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], &text[..]].concat()),
    ];
    let list = atom(b"ilst", &atom(b"----", &item.concat()));
    let comments = atom(b"udta", &atom(b"meta", &[&[0; 4], &list[..]].concat()));
    // FFmpeg's own comments are in the way; the header is the last box, so that it can grow.
    let own = bytes.windows(4).position(|kind| kind == b"udta").unwrap();
    bytes[own..own + 4].copy_from_slice(b"free");
    let moov = bytes.windows(4).position(|kind| kind == b"moov").unwrap() - 4;
    let size = (bytes.len() - moov + comments.len()) as u32;
    bytes[moov..moov + 4].copy_from_slice(&size.to_be_bytes());
    bytes.extend(comments);
    let decoded = decode(&bytes).unwrap();
    // A delay of 2000 frames, where the edit list has 1024, and 30,000 frames of sound.
    assert_eq!(decoded.source.frames.map(|frames| frames.0), Some(30_000));
    assert!(*decoded.only() == by_edit_list.only().slice(976..30_976));
}

#[test]
fn fragments_are_trimmed_by_their_edit_list() {
    let workshop = Workshop::new();
    let arguments = "-c:a aac -movflags +frag_keyframe+delay_moov -frag_duration 300000";
    let bytes = workshop.make(&signal(44_100, 2, SECONDS), arguments, "fragments.mp4");
    let decoded = decode(&bytes).unwrap();
    assert_eq!(decoded.only().len(), (SECONDS * 44_100.0) as usize);
    // Whether FFmpeg heeds the list of a file in fragments depends on its version. Without it, it
    // gives the packets as they are: a delay of 1024 frames in front, and the last one whole.
    let packets = workshop.stereo_of(&["-ignore_editlist", "1", "-i", "fragments.mp4"], 2);
    assert_eq!(packets.len(), 40 * 1024);
    let expected = packets.slice(1024..1024 + decoded.only().len());
    assert!(stereo_snr_db(&expected, decoded.only()) > 100.0);
    // The same packets in one piece, where every version heeds the list.
    let whole = workshop.make(&signal(44_100, 2, SECONDS), "-c:a aac", "whole.m4a");
    assert!(decode(&whole).unwrap().only() == decoded.only());
}

/// Those of 6 and 8 channels are in the table of formats.
#[test]
fn more_channels_are_mixed_as_ffmpeg_mixes_them() {
    for channels in [3, 4, 5, 7] {
        check_downmix("wide.wav", channels, "-c:a pcm_f32le", 120.0);
        check_downmix("wide.ogg", channels, "-c:a libvorbis -q:a 5", 110.0);
    }
    check_downmix("wide.ogg", 8, "-c:a libvorbis -q:a 5", 110.0);
    check_downmix("wide.flac", 5, "-c:a flac", 120.0);
    // The layout of the file counts, not the number of channels: 4.0 has a centre, quad none.
    check_downmix("centre.wav", 4, "-af aformat=channel_layouts=4.0 -c:a pcm_s16le", 120.0);
    check_downmix("centre.flac", 4, "-af aformat=channel_layouts=4.0 -c:a flac", 120.0);
    let side = "-af channelmap=channel_layout=5.1(side) -c:a pcm_s16le";
    check_downmix("side.wav", 6, side, 120.0);
    let widest = "-af aformat=channel_layouts=7.1(wide) -c:a alac";
    check_downmix("widest.m4a", 8, widest, 120.0);
}

#[test]
fn a_picture_and_a_film_beside_the_sound_are_left_out() {
    let workshop = Workshop::new();
    let film = "testsrc=d=2:s=64x64";
    for (name, sound, picture) in [
        ("film.mp4", "-c:a aac", "mpeg4"),
        ("film.ogg", "-c:a libvorbis", "libtheora"),
        ("film.mkv", "-c:a flac", "mpeg4"),
        ("film.webm", "-c:a libvorbis", "libvpx"),
    ] {
        workshop.make(&signal(44_100, 2, SECONDS), sound, name);
        let expected = workshop.stereo(name, 2, "");
        let both = format!("both-{name}");
        let inputs = ["-f", "lavfi", "-i", film, "-i", name, "-map", "0:v", "-map", "1:a"];
        let outputs = ["-c:v", picture, "-c:a", "copy", &both];
        workshop.must(&[&inputs[..], &outputs[..]].concat());
        let decoded = decode(&std::fs::read(workshop.path(&both)).unwrap()).unwrap();
        let found = stereo_snr_db(&expected, decoded.only());
        assert!(found > 100.0, "{both}: {found:.1} dB");
    }
}

#[test]
fn sizes_that_pipes_write_mean_to_the_end() {
    let workshop = Workshop::new();
    let signal = signal(44_100, 2, SECONDS);
    let expected = decode(&workshop.make(&signal, "-c:a pcm_s16le", "a.wav")).unwrap();
    for arguments in [
        "-c:a pcm_s16le -f wav",
        "-c:a pcm_s16le -f w64",
        "-c:a pcm_s16be -f aiff",
        "-c:a flac -sample_fmt s16 -f flac",
    ] {
        let decoded = decode(&workshop.pipe(&signal, arguments)).unwrap();
        assert_eq!(decoded.source.frames, None, "{arguments}");
        assert!(decoded.only() == expected.only(), "{arguments}");
        assert!(decoded.report.is_clean(), "{arguments}: {:?}", decoded.report);
    }
    // What other programs write where the length is not known.
    let wav = workshop.make(&signal, "-c:a pcm_s16le", "a.wav");
    let data = wav.windows(4).position(|name| name == b"data").unwrap();
    for (riff, size) in [
        (u32::MAX, u32::MAX),
        (0x7fff_ffff, 0x7fff_ffff),
        (0x7fff_ffff, 0x7fff_ffff - 36),
        (u32::MAX, u32::MAX - 36),
        (0x7fff_f024, 0x7fff_f000),
        (0x8000_0024, 0x8000_0000),
        (0x7fff_ffff, 0),
        (u32::MAX, 0),
        (0, 0),
    ] {
        let mut bytes = wav.clone();
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        bytes[data + 4..data + 8].copy_from_slice(&size.to_le_bytes());
        let decoded = decode(&bytes).unwrap();
        assert!(decoded.only() == expected.only(), "{riff:#x} {size:#x}");
        assert_eq!(decoded.source.frames, None, "{riff:#x} {size:#x}");
        assert!(decoded.report.is_clean(), "{riff:#x} {size:#x}: {:?}", decoded.report);
    }
    // The name that broadcasters give to RF64.
    let mut bytes = workshop.make(&signal, "-c:a pcm_s16le -rf64 always", "a.wav");
    bytes[..4].copy_from_slice(b"BW64");
    assert!(decode(&bytes).unwrap().only() == expected.only());
    // A recorder that never came back to its header leaves 0 in it.
    let mut bytes = workshop.make(&signal, "-c:a pcm_s16le", "a.wav");
    let data = bytes.windows(4).position(|name| name == b"data").unwrap();
    bytes[data + 4..data + 8].fill(0);
    bytes[4..8].copy_from_slice(&36_u32.to_le_bytes());
    assert!(decode(&bytes).unwrap().only() == expected.only());
}

#[test]
fn tags_are_left_out() {
    let workshop = Workshop::new();
    let arguments = "-c:a libmp3lame -id3v2_version 0";
    let mp3 = workshop.make(&signal(44_100, 2, SECONDS), arguments, "a.mp3");
    let flac = workshop.make(&signal(44_100, 2, SECONDS), "-c:a flac", "a.flac");
    // A megabyte of album art that is full of what looks like MP3 frames.
    let mut id3 = b"ID3\x03\0\0\0\x3f\x7f\x7f".to_vec();
    id3.extend([0xff, 0xfb, 0x90, 0x64].repeat((1 << 20) / 4));
    id3.truncate(10 + (0x3f << 14 | 0x7f << 7 | 0x7f));
    let id3v1 = [&b"TAG"[..], &[b'x'; 125]].concat();
    let mut ape = b"APETAGEX\xd0\x07\0\0\x40\0\0\0\x01\0\0\0\0\0\0\xa0\0\0\0\0\0\0\0\0".to_vec();
    ape.extend([0xff, 0xfb, 0x90, 0x64].repeat(8));
    ape.extend(b"APETAGEX\xd0\x07\0\0\x40\0\0\0\x01\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0");
    for audio in [mp3, flac] {
        let plain = decode(&audio).unwrap();
        for parts in [
            vec![&id3, &audio],
            vec![&audio, &id3v1],
            vec![&id3, &id3, &audio, &ape, &id3v1],
            vec![&ape, &audio],
        ] {
            let tagged: Vec<u8> = parts.into_iter().flatten().copied().collect();
            assert_eq!(decode(&tagged).unwrap(), plain);
        }
    }
}

#[test]
fn mp3_is_found_behind_padding_and_behind_tags_of_a_wrong_length() {
    let workshop = Workshop::new();
    let arguments = "-c:a libmp3lame -b:a 64k -id3v2_version 0";
    let mp3 = workshop.make(&signal(44_100, 2, SECONDS), arguments, "a.mp3");
    let expected = decode(&mp3).unwrap();
    let tag = |length: u32| {
        let size = [21, 14, 7, 0].map(|shift| (length >> shift & 0x7f) as u8);
        [&b"ID3\x03\0\0"[..], &size, b"TIT2\0\0\0\x05\0\0\0name"].concat()
    };
    let picture: Vec<u8> = (0..300_000_u64).map(|i| (i * i % 251) as u8).collect();
    for (name, front) in [
        ("100 KB of zeros", vec![0; 100_000]),
        ("3 MB of zeros", vec![0; 3_000_000]),
        ("zeros behind a tag", [tag(15), vec![0; 200_000]].concat()),
        ("a tag that is longer than it states", [tag(20), picture.clone()].concat()),
        ("a tag that ends behind the file", [tag(10_000_000), picture].concat()),
    ] {
        let decoded =
            decode(&[front, mp3.clone()].concat()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(decoded.only() == expected.only(), "{name}");
        assert_eq!(decoded.source, expected.source, "{name}");
    }
    // Text is searched less far, so that a page or a log is refused while it arrives.
    let text = [&b"no music ".repeat(30_000)[..], &mp3].concat();
    assert_eq!(decode(&text).unwrap_err().to_string(), "the upload is text");
    let beyond = [vec![0; 5_000_000], mp3].concat();
    let error = decode(&beyond).unwrap_err().to_string();
    assert_eq!(error, "the upload is of an unknown format");
}

#[test]
fn raw_pcm_has_the_stated_format() {
    let samples: Vec<f32> = (0..9_001).map(|n| (n % 256) as f32 / 128.0 - 1.0).collect();
    for encoding in [Encoding::S16Le, Encoding::S24Le, Encoding::F32Le] {
        let mut bytes = Vec::new();
        encoding.write(samples.iter().copied(), &mut bytes);
        let input = Input::Raw { encoding, rate: Hertz(16_000), channels: 1 };
        let decoded = decode_upload(uploads::complete(&bytes), &input).unwrap();
        assert_eq!(decoded.source.container, Container::Raw);
        assert_eq!(decoded.only().left(), samples);
        assert_eq!(decoded.only().right(), samples);
        let input = Input::Raw { encoding, rate: Hertz(16_000), channels: 2 };
        bytes.truncate(9_000 * encoding.bytes_per_sample());
        let decoded = decode_upload(uploads::complete(&bytes), &input).unwrap();
        assert_eq!(*decoded.only(), Stereo::from_interleaved(&samples[..9_000]));
    }
}

#[test]
fn samples_that_are_no_numbers_become_silence() {
    let samples = [0.5, f32::NAN, -0.5, f32::INFINITY, f32::NEG_INFINITY, 1e30, 0.25, 0.125];
    let mut bytes = Vec::new();
    Encoding::F32Le.write(samples.into_iter(), &mut bytes);
    let input = Input::Raw { encoding: Encoding::F32Le, rate: Hertz(44_100), channels: 2 };
    let decoded = decode_upload(uploads::complete(&bytes), &input).unwrap();
    assert_eq!(decoded.only().left(), [0.5, -0.5, 0.0, 0.25]);
    assert_eq!(decoded.only().right(), [0.0, 0.0, 0.0, 0.125]);
    assert_eq!(decoded.report.invalid_samples, 4);
}
