//! NI stem files (`.stem.mp4`): a mix and four stems for DJ software, in one MP4 file.
//!
//! Five tracks of one codec: the mix, which ordinary players play, then drums, bass, other and vocals, which are disabled.
//! The mix is the sum of the stems, so that turning stems down leaves what the others play. The box `moov/udta/stem` has names
//! and colors of the stems, and settings of the compressor and limiter of Traktor, which are off.

use super::aac;
use super::mp4::{Mp4Metadata, Mp4Writer, TrackSettings};
use super::samples::SampleWriter;
use super::track_encoder::TrackEncoder;
use super::{EncodeError, FileTags, Output};
use crate::audio::{Encoding, Frames, Hertz, StemName, Stereo};
use crate::process::Ffmpeg;

/// The stems of such a file in their order, with the colors that NI's own tool gives them.
const TRACKS: [(&str, &str, &str); 4] = [
    ("drums", "Drums", "#009E73"),
    ("bass", "Bass", "#D55E00"),
    (OTHER, "Other", "#CC79A7"),
    (StemName::VOCALS, "Vocals", "#56B4E9"),
];

/// Kilobits per second of a track in AAC.
const AAC_KBITS: u32 = 256;

/// Gets all further stems.
const OTHER: &str = "other";

/// Which stems are mixed into which track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NiStemPlan {
    /// The stems that are needed.
    pub stems: Vec<StemName>,
    /// The track of each.
    tracks: Vec<usize>,
}

/// The stems that an NI stem file needs are not all there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an NI stem file needs drums, bass, other and vocals, but the stems are {0}")]
pub struct StemsMissing(String);

impl NiStemPlan {
    /// A plan for these stems. Stems beyond the four, such as a guitar, are added to `other`; the accompaniment, which
    /// contains others, is left out.
    ///
    /// # Errors
    /// One of the four is missing.
    pub fn of(stems: &[StemName]) -> Result<NiStemPlan, StemsMissing> {
        let has = |name| stems.iter().any(|stem| stem.as_str() == name);
        if !TRACKS.iter().all(|&(name, ..)| has(name)) {
            let names: Vec<&str> = stems.iter().map(StemName::as_str).collect();
            return Err(StemsMissing(names.join(", ")));
        }
        let index = |name: &str| TRACKS.iter().position(|&(known, ..)| known == name);
        let parts = stems.iter().filter(|stem| stem.as_str() != StemName::ACCOMPANIMENT);
        let track = |stem: &StemName| index(stem.as_str()).or_else(|| index(OTHER)).unwrap_or(0);
        let (stems, tracks) = parts.map(|stem| (stem.clone(), track(stem))).unzip();
        Ok(NiStemPlan { stems, tracks })
    }

    /// The audio of the mix and of the four stems, given a block of each stem of the plan, all of one length.
    pub fn tracks(&self, blocks: &[Stereo]) -> Vec<Stereo> {
        let frames = blocks.first().map_or(0, Stereo::len);
        let mut tracks = vec![Stereo::zeros(frames); 1 + TRACKS.len()];
        for (block, &track) in blocks.iter().zip(&self.tracks) {
            tracks[0].add(block);
            tracks[1 + track].add(block);
        }
        tracks
    }
}

/// The codec of an NI stem file.
#[derive(Debug, Clone, Copy)]
pub enum NiStemCodec<'a> {
    /// AAC by FFmpeg.
    Aac(&'a Ffmpeg),
    /// ALAC of 24 bits.
    Alac,
}

impl<'a> NiStemCodec<'a> {
    /// AAC if there is FFmpeg and AAC has the rate, else ALAC, which not all DJ software reads.
    pub fn of(rate: Hertz, ffmpeg: Option<&'a Ffmpeg>) -> NiStemCodec<'a> {
        match ffmpeg {
            Some(ffmpeg) if aac::has_rate(rate) => NiStemCodec::Aac(ffmpeg),
            _ => NiStemCodec::Alac,
        }
    }

    /// The media type of a file (RFC 6381).
    pub const fn media_type(self) -> &'static str {
        match self {
            NiStemCodec::Aac(_) => "audio/mp4; codecs=\"mp4a.40.2\"",
            NiStemCodec::Alac => "audio/mp4; codecs=\"alac\"",
        }
    }
}

/// An NI stem file that is being written.
pub struct NiStemsEncoder {
    plan: NiStemPlan,
    file: Mp4Writer<Output>,
    /// Of the mix and the stems.
    tracks: Vec<TrackEncoder>,
    tags: Option<FileTags>,
    frames: Frames,
}

impl NiStemsEncoder {
    /// Begins a file with these tags, if it gets any.
    ///
    /// # Errors
    /// I/O errors; FFmpeg cannot be started.
    pub fn start(
        plan: NiStemPlan,
        rate: Hertz,
        codec: NiStemCodec<'_>,
        tags: Option<FileTags>,
        output: Output,
    ) -> Result<NiStemsEncoder, EncodeError> {
        let mut tracks = Vec::new();
        let mut settings = Vec::new();
        let mix = ("", "Mix", "");
        for (_, name, _) in [mix].into_iter().chain(TRACKS) {
            let track = match codec {
                NiStemCodec::Aac(ffmpeg) => {
                    TrackEncoder::aac(ffmpeg, rate, Stereo::CHANNELS, AAC_KBITS)?
                }
                NiStemCodec::Alac => {
                    TrackEncoder::alac(SampleWriter::new(Encoding::S24Le, Stereo::CHANNELS))
                }
            };
            settings.push(TrackSettings {
                codec: track.codec(),
                channels: Stereo::CHANNELS as u8,
                name: name.to_owned(),
                is_enabled: tracks.is_empty(),
            });
            tracks.push(track);
        }
        let file = Mp4Writer::begin(output, rate, settings)?;
        Ok(NiStemsEncoder { plan, file, tracks, tags, frames: Frames::ZERO })
    }

    /// Appends a block of each stem of the plan, all of one length. Returns how many samples were clipped, or will be when
    /// the file is played.
    ///
    /// # Errors
    /// I/O errors; FFmpeg fails.
    pub fn write(&mut self, blocks: &[Stereo]) -> Result<u64, EncodeError> {
        let sums = self.plan.tracks(blocks);
        self.frames += sums[0].frames();
        let mut clipped = 0;
        for ((index, track), sum) in self.tracks.iter_mut().enumerate().zip(&sums) {
            clipped += track.write(sum, |packet| self.file.append(index, packet))?;
        }
        Ok(clipped)
    }

    /// Writes what is pending and the end of the file.
    ///
    /// # Errors
    /// Those of [`write`](NiStemsEncoder::write).
    pub fn finish(self) -> Result<(), EncodeError> {
        let NiStemsEncoder { mut file, mut tracks, tags, frames, .. } = self;
        for (index, track) in tracks.iter_mut().enumerate() {
            track.finish(|packet| file.append(index, packet))?;
        }
        let metadata = Mp4Metadata { tags, stems: Some(manifest()) };
        Ok(file.finish(frames, &metadata)?.finish()?)
    }
}

/// The JSON that DJ software reads.
fn manifest() -> String {
    let compressor = r#"{"enabled":false,"ratio":3,"output_gain":0.5,"release":0.3,"attack":0.003,"input_gain":0.5,"threshold":0,"hp_cutoff":300,"dry_wet":50}"#;
    let limiter = r#"{"enabled":false,"release":0.05,"threshold":0,"ceiling":-0.35}"#;
    let stems = TRACKS.map(|(_, name, color)| format!(r#"{{"name":"{name}","color":"{color}"}}"#));
    let stems = stems.join(",");
    format!(
        r#"{{"version":1,"mastering_dsp":{{"compressor":{compressor},"limiter":{limiter}}},"stems":[{stems}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<StemName> {
        text.split(' ').map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn further_stems_are_added_to_other() {
        let plan =
            NiStemPlan::of(&names("vocals guitar drums bass accompaniment other piano")).unwrap();
        assert_eq!(plan.stems, names("vocals guitar drums bass other piano"));
        assert_eq!(plan.tracks, [3, 2, 0, 1, 2, 2]);
        let error = NiStemPlan::of(&names("vocals accompaniment")).unwrap_err().to_string();
        assert!(error.ends_with("the stems are vocals, accompaniment"), "{error}");
    }
}
