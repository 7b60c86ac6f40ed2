//! Unsupported uploads, and their errors.

use crate::support::ffmpeg::{Workshop, signal};
use crate::support::mutate::mend_ogg;
use crate::support::{decode, decode_upload, uploads};
use stemwire::audio::{Encoding, Hertz};
use stemwire::decode::{DecodeError, Input};

#[track_caller]
fn check(bytes: &[u8], expected: &str) {
    let error = decode(bytes).expect_err(expected).to_string();
    assert!(error.starts_with(expected), "{error:?} is not {expected:?}");
}

/// A WAV file of zeros with these channels, bits and frames.
fn wav(tag: u16, channels: u16, rate: u32, bits: u16, frames: u32) -> Vec<u8> {
    let align = channels * bits / 8;
    let data = frames * u32::from(align);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0");
    bytes.extend([tag, channels].map(u16::to_le_bytes).concat());
    bytes.extend([rate, rate * u32::from(align)].map(u32::to_le_bytes).concat());
    bytes.extend([align, bits].map(u16::to_le_bytes).concat());
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    bytes.resize(bytes.len() + data as usize, 0);
    bytes
}

#[test]
fn bytes_that_are_not_audio_are_named() {
    check(b"", "the upload is empty");
    check(b"Once upon a time", "the upload is text");
    check(b"<!DOCTYPE html><p>404", "the upload is an HTML page");
    check(b"PK\x03\x04\x14\0", "the upload is a ZIP archive");
    check(&[0; 1000], "the upload is of an unknown format");
    check(b"\x1a\x45\xdf\xa3", "the Matroska header is broken: it has no tracks");
    check(b"ID3\x04\0\0\0\0\0\0", "the upload is of an unknown format");
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    assert!(decode(&wav(1, 2, 44_100, 16, 1000)).is_ok());
    check(
        &wav(1, 2, 7_999, 16, 1000),
        "a sample rate of 7999 Hz is not supported: it must be 8000 Hz",
    );
    check(&wav(1, 2, 0, 16, 1000), "a sample rate of 0 Hz is not supported");
    check(&wav(1, 2, 384_000, 16, 1000), "a sample rate of 384000 Hz is not supported");
    check(&wav(1, 0, 44_100, 16, 0), "0 channels are not supported: it must be 1 to 8");
    check(&wav(1, 255, 44_100, 16, 10), "255 channels are not supported: it must be 1 to 8");
    check(&wav(3, 2, 44_100, 16, 10), "floating-point PCM of 16 bits in WAV is not supported");
    check(&wav(1, 2, 44_100, 16, 0), "the WAV file holds no audio that can be decoded");
    check(&wav(1, 2, 44_100, 16, 9)[..30], "the WAV header is broken");
    check(b"fLaC", "the FLAC header is broken: it ends before the first frame");
    check(b"fLaC\x80\0\0\0", "the FLAC header is broken: it has no valid STREAMINFO");
    check(b"FORM\0\0\0\x04AIFF", "the AIFF header is broken: it has no COMM chunk");
    check(b"\0\0\0\x08ftyp", "the MP4 header is broken: it has no moov box");
    check(b"OggS", "the Ogg header is broken: it ends too early");
}

#[test]
fn a_chain_without_end_is_refused() {
    let links = |count| wav(1, 2, 44_100, 16, 1).repeat(count);
    assert_eq!(decode(&links(1000)).unwrap().report.links, 1000);
    let message = "the WAV file has more than 1000 streams";
    check(&links(1001), message);
}

#[test]
fn codecs_that_are_not_decoded_are_named() {
    let workshop = Workshop::new();
    for (arguments, name, expected) in [
        (
            "-c:a libopus -ar 48000 -ac 3 -mapping_family 255",
            "a.ogg",
            "Opus with 3 channels of mapping family 255 in Ogg is not supported",
        ),
        ("-c:a aac -ac 6", "wide.m4a", "AAC with 6 channels in MP4 is not supported"),
        ("-c:a aac -ac 6", "wide.aac", "AAC with 6 channels in ADTS is not supported"),
        ("-c:a pcm_s16le", "a.avi", "the upload is an AVI file"),
        ("-c:a ac3", "ac3.mkv", "AC-3 in Matroska is not supported"),
        ("-c:a aac -ac 6", "wide.mkv", "AAC with 6 channels in Matroska is not supported"),
        ("-c:a ac3", "ac3.mp4", "AC-3 in MP4 is not supported"),
        ("-c:a adpcm_ms", "adpcm.wav", "Microsoft ADPCM in WAV is not supported"),
        ("-c:a adpcm_ima_qt", "ima.aiff", "the compression \"ima4\" in AIFF is not supported"),
        ("-c:a ac3", "a.ac3", "the upload is an AC-3 file"),
        ("-c:a wmav2", "a.wma", "the upload is a Windows Media file"),
        ("-c:a wavpack", "a.wv", "the upload is a WavPack file"),
    ] {
        check(&workshop.make(&signal(44_100, 2, 0.3), arguments, name), expected);
    }
    // FFmpeg cannot write it: frames whose headers name no bit rate.
    let frame = [&[0xff, 0xfb, 0x00, 0x64][..], &[0; 1300]].concat();
    check(&frame.repeat(5), "MP3 of free format in MP3 is not supported");
    // Few builds of FFmpeg can write it; its first page is recognised by its first bytes.
    let mut bytes = workshop.make(&signal(44_100, 2, 0.3), "-c:a libopus -ar 48000", "b.ogg");
    bytes[28..36].copy_from_slice(b"Speex   ");
    mend_ogg(&mut bytes);
    check(&bytes, "Speex in Ogg is not supported");
    let video = "testsrc=d=0.2:s=64x64";
    check(&workshop.make(video, "-c:v mpeg4", "v.mp4"), "the MP4 file has no audio track");
    check(&workshop.make(video, "-c:v libtheora", "v.ogg"), "the Ogg file has no audio track");
    check(&workshop.make(video, "-c:v mpeg4", "v.mkv"), "the Matroska file has no audio track");
}

/// Symphonia computes in 32 bits: samples of more than 24 yield noise or panics.
#[test]
fn flac_of_more_than_24_bits_is_refused_wherever_it_lies() {
    let workshop = Workshop::new();
    let widest = "-c:a flac -sample_fmt s32 -strict -2";
    for (name, container, header) in
        [("a.flac", "FLAC", b"fLaC"), ("a.ogg", "Ogg", b"fLaC"), ("a.mp4", "MP4", b"dfLa")]
    {
        let mut bytes = workshop.make(&signal(44_100, 2, 0.3), widest, name);
        let at = bytes.windows(4).position(|window| window == header).unwrap() + 4;
        let block = if container == "MP4" { at + 8 } else { at + 4 };
        for bits in [32, 25] {
            // FFmpeg 9 writes 32 bits, older ones 24: the fifth bit of five ends the one byte.
            bytes[block + 12] = bytes[block + 12] & 0xfe | (bits - 1) >> 4;
            bytes[block + 13] = bytes[block + 13] & 0x0f | (bits - 1) << 4;
            mend_ogg(&mut bytes);
            check(
                &bytes,
                &format!(
                    "FLAC of {bits} bits a sample (beyond 24) in {container} is not supported"
                ),
            );
        }
    }
}

#[test]
fn high_efficiency_aac_is_refused_and_not_decoded_by_half() {
    let workshop = Workshop::new();
    let mut bytes = workshop.make(&signal(44_100, 2, 0.3), "-c:a aac", "a.m4a");
    assert!(decode(&bytes).is_ok());
    // LC at 44.1 kHz with two channels, and behind it: an extension, SBR, of which there is none.
    let message = [0x12, 0x10, 0x56, 0xe5, 0x00];
    let at = bytes.windows(5).position(|window| window == message).unwrap();
    bytes[at + 4] = 0x80;
    check(&bytes, "high-efficiency AAC (HE-AAC) in MP4 is not supported");
    // Half the rate of the container, and no word about why.
    bytes[at..at + 5].copy_from_slice(&[0x13, 0x90, 0, 0, 0]);
    check(&bytes, "high-efficiency AAC (HE-AAC) in MP4 is not supported");
}

#[test]
fn raw_pcm_that_does_not_add_up_is_refused() {
    let decode_raw = |bytes: &[u8], encoding, rate, channels| {
        let input = Input::Raw { encoding, rate: Hertz(rate), channels };
        decode_upload(uploads::complete(bytes), &input).unwrap_err()
    };
    let error = decode_raw(&[0; 1001], Encoding::S24Le, 48_000, 2);
    assert!(matches!(error, DecodeError::OddPcmLength { bytes: 1001, frame_bytes: 6 }), "{error}");
    assert!(matches!(decode_raw(&[], Encoding::S16Le, 48_000, 2), DecodeError::Empty));
    let error = decode_raw(&[0; 1000], Encoding::F32Le, 48_000, 3);
    assert!(matches!(error, DecodeError::UnsupportedChannels { channels: 3, max: 2 }), "{error}");
    let error = decode_raw(&[0; 1000], Encoding::F32Le, 4_000, 1);
    assert!(matches!(error, DecodeError::UnsupportedRate { rate: Hertz(4_000) }), "{error}");
}
