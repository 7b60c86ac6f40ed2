//! Chooses the audio track of a container that is decoded.

use std::num::NonZero;

use super::error::DecodeError;
use super::report::{AudioTrack, CodecName, Container};

/// Tracks that an error names.
const NAMED: usize = 8;

/// Reads the `wanted` one of `count` audio tracks; without it, the first that can be read. `read` gets their index from 0.
///
/// # Errors
/// [`DecodeError::NoAudioTrack`]; [`DecodeError::TrackMissing`]; that of the wanted track, or of the first.
pub(super) fn choose<T>(
    container: Container,
    count: usize,
    wanted: Option<NonZero<u32>>,
    mut read: impl FnMut(usize) -> Result<T, DecodeError>,
    codec: impl Fn(&T) -> Option<CodecName>,
) -> Result<(T, AudioTrack), DecodeError> {
    let candidates = match wanted {
        Some(number) => number.get() as usize - 1..(number.get() as usize).min(count),
        None => 0..count,
    };
    let mut first_error = None;
    for index in candidates {
        match read(index) {
            Ok(track) => {
                // A container has fewer tracks than bytes.
                let (number, count) = (index as u32 + 1, count as u32);
                return Ok((track, AudioTrack { number, count }));
            }
            Err(DecodeError::Io(error)) => return Err(error.into()),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match (first_error, wanted) {
        (Some(error), _) => Err(error),
        (None, Some(wanted)) if count > 0 => {
            let name = |index| match read(index) {
                Ok(track) => codec(&track).map_or_else(String::new, |name| name.to_string()),
                Err(DecodeError::UnsupportedCodec { codec, .. }) => codec,
                Err(_) => "broken".to_owned(),
            };
            let mut codecs: Vec<String> = (0..count.min(NAMED)).map(name).collect();
            if count > NAMED {
                codecs.push("…".to_owned());
            }
            let (codecs, count) = (codecs.join(", "), count as u32);
            Err(DecodeError::TrackMissing { container, wanted: wanted.get(), count, codecs })
        }
        (None, _) => Err(DecodeError::NoAudioTrack { container }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a container with these tracks.
    #[track_caller]
    fn check(tracks: &[Option<CodecName>], wanted: u32, expected: Result<u32, &str>) {
        let read = |index: usize| {
            let unsupported = DecodeError::UnsupportedCodec {
                container: Container::Matroska,
                codec: "AC-3".to_owned(),
            };
            tracks[index].ok_or(unsupported)
        };
        let wanted = NonZero::new(wanted);
        let found = choose(Container::Matroska, tracks.len(), wanted, read, |name| Some(*name));
        match (found, expected) {
            (Ok((_, found)), Ok(expected)) => {
                assert_eq!((found.number, found.count), (expected, tracks.len() as u32));
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn the_wanted_track_is_read_or_the_first_that_can_be() {
        let (aac, ac3) = (Some(CodecName::Aac), None);
        check(&[aac, ac3], 0, Ok(1));
        check(&[ac3, aac], 0, Ok(2));
        check(&[aac, aac], 2, Ok(2));
        check(&[ac3, aac], 1, Err("AC-3 in Matroska is not supported"));
        check(&[ac3, ac3], 0, Err("AC-3 in Matroska is not supported"));
        check(&[], 0, Err("the Matroska file has no audio track"));
        check(&[], 1, Err("the Matroska file has no audio track"));
        let missing = "there is no audio track 3: the Matroska file has 2 (AC-3, AAC)";
        check(&[ac3, aac], 3, Err(missing));
        let missing = "there is no audio track 9: the Matroska file has 1 (AAC)";
        check(&[aac], 9, Err(missing));
    }
}
