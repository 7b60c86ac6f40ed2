//! MPEG audio layer I. No encoder writes it any more, and FFmpeg's decoder is coarse: the witness is mpg123
//! (`tests/golden/make_layer_1.py`).

use stemwire::audio::{Hertz, Stereo};
use stemwire::decode::{CodecName, Container};

use crate::support::compare::stereo_snr_db;
use crate::support::decode;

const TONES: &[u8] = include_bytes!("../../golden/layer_1/tones.mp1");
/// Interleaved stereo.
const DECODED: &[u8] = include_bytes!("../../golden/layer_1/tones.f32");

#[test]
fn layer_1_is_decoded_as_by_mpg123() {
    let decoded = decode(TONES).unwrap();
    assert!(decoded.report.is_clean(), "{:?}", decoded.report);
    let source = &decoded.source;
    assert_eq!((source.container, source.codec), (Container::Mpeg, CodecName::Mp1));
    assert_eq!((source.rate, source.channels), (Hertz(48_000), 2));
    let samples = DECODED.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    let samples: Vec<f32> = samples.collect();
    let expected = Stereo::from_interleaved(&samples);
    assert_eq!(decoded.only().len(), expected.len());
    let found = stereo_snr_db(&expected, decoded.only());
    assert!(found > 100.0, "{found:.1} dB");
}
