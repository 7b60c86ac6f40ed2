//! The upload of a session as a source of audio: its format, its tags, and what was converted or lost.

use serde::{Deserialize, Serialize};

use crate::audio::{Frames, Hertz, SourceTags, Stereo};
use crate::decode::{AudioTrack, DecodeReport};

/// The matrix of the downmix in [`decode`](crate::decode).
const DOWNMIX_METHOD: &str = "ITU-R BS.775";

/// The format of the decoded upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Container, such as `mp3`.
    pub container: String,
    /// Codec, such as `aac`.
    pub codec: String,
    /// Sample rate.
    pub rate: Hertz,
    /// Number of channels.
    pub channels: u32,
    /// Length at this sample rate, once decoded.
    pub frames: Option<Frames>,
    /// Damaged frames that were replaced by silence.
    pub damaged: Frames,
    /// Sample rate of the stems.
    pub output_rate: Hertz,
    /// The program that decoded it, with its version; `None` if this one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<String>,
    /// Seconds after which a live source was cut, at the limit of the server.
    #[serde(default, skip_serializing_if = "is_default")]
    pub live_limit_s: Option<u64>,
    /// What decoding repaired and skipped, once decoded. Manifests of 0.1.0 have none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub report: DecodeReport,
    /// Its tags. Manifests of 0.1.0 have none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tags: SourceTags,
    /// Bytes of its cover picture, which the session has in a file of its own; once decoded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cover_bytes: Option<u64>,
    /// CRC32C of the cover picture.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cover_crc32c: Option<u32>,
    /// Whether it has a cover picture that is not kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cover_left_out: bool,
    /// Which of its audio tracks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub track: AudioTrack,
}

/// One way in which the audio that is separated differs from that of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceNote {
    /// Its kind.
    pub kind: SourceNoteKind,
    /// Value in the upload, where the kind has one.
    pub from: Option<u64>,
    /// Value in what is separated, where the kind has one.
    pub to: Option<u64>,
    /// How many, where the kind is counted.
    pub count: Option<u64>,
    /// How it was done, where the kind can be done in several ways.
    pub method: Option<&'static str>,
}

/// Kinds of [`SourceNote`]; the numbers are those of the proto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceNoteKind {
    /// Resampled to the model's rate, in Hz.
    Resampled = 1,
    /// Frequencies above half the model's rate are lost; the ends of the band, in Hz.
    BandLost = 2,
    /// The one channel was copied to both sides.
    MonoCopied = 3,
    /// More than two channels were mixed by the matrix of ITU-R BS.775.
    Downmixed = 4,
    /// Frames that damage or gaps replaced by silence.
    FramesSilenced = 5,
    /// Packets that could not be decoded.
    PacketsDamaged = 6,
    /// Positions at which packets are missing.
    GapsFilled = 7,
    /// Samples that were not finite and became silence.
    SamplesInvalid = 8,
    /// Bytes that are neither audio nor a known tag.
    BytesSkipped = 9,
    /// Concatenated streams with a broken header.
    StreamsSkipped = 10,
    /// Frames that headers state but the upload does not hold.
    FramesMissing = 11,
    /// The file has several audio tracks, of which one is separated.
    TrackChosen = 12,
    /// Seconds after which a live source was cut.
    LiveCut = 13,
    /// The cover picture is in no file.
    CoverLeftOut = 14,
}

impl SourceNoteKind {
    /// Every kind, in the order of the proto.
    pub const ALL: [SourceNoteKind; 14] = [
        SourceNoteKind::Resampled,
        SourceNoteKind::BandLost,
        SourceNoteKind::MonoCopied,
        SourceNoteKind::Downmixed,
        SourceNoteKind::FramesSilenced,
        SourceNoteKind::PacketsDamaged,
        SourceNoteKind::GapsFilled,
        SourceNoteKind::SamplesInvalid,
        SourceNoteKind::BytesSkipped,
        SourceNoteKind::StreamsSkipped,
        SourceNoteKind::FramesMissing,
        SourceNoteKind::TrackChosen,
        SourceNoteKind::LiveCut,
        SourceNoteKind::CoverLeftOut,
    ];

    /// Its name in the proto, without the prefix.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceNoteKind::Resampled => "RESAMPLED",
            SourceNoteKind::BandLost => "BAND_LOST",
            SourceNoteKind::MonoCopied => "MONO_COPIED",
            SourceNoteKind::Downmixed => "DOWNMIXED",
            SourceNoteKind::FramesSilenced => "FRAMES_SILENCED",
            SourceNoteKind::PacketsDamaged => "PACKETS_DAMAGED",
            SourceNoteKind::GapsFilled => "GAPS_FILLED",
            SourceNoteKind::SamplesInvalid => "SAMPLES_INVALID",
            SourceNoteKind::BytesSkipped => "BYTES_SKIPPED",
            SourceNoteKind::StreamsSkipped => "STREAMS_SKIPPED",
            SourceNoteKind::FramesMissing => "FRAMES_MISSING",
            SourceNoteKind::TrackChosen => "TRACK_CHOSEN",
            SourceNoteKind::LiveCut => "LIVE_CUT",
            SourceNoteKind::CoverLeftOut => "COVER_LEFT_OUT",
        }
    }

    /// The notice in English on so many, for kinds that are repairs, losses and cuts; `None` for those that every upload of
    /// the format has, and for frames: what replaced them has a notice of its own.
    pub fn notice(self, count: u64) -> Option<String> {
        let text = match self {
            SourceNoteKind::PacketsDamaged => "damaged packets were replaced by silence",
            SourceNoteKind::GapsFilled => "gaps in the stream were filled with silence",
            SourceNoteKind::SamplesInvalid => {
                "samples were not finite and were replaced by silence"
            }
            SourceNoteKind::BytesSkipped => {
                "bytes that are neither audio nor a known tag were skipped"
            }
            SourceNoteKind::StreamsSkipped => "further stream with a broken header was skipped",
            SourceNoteKind::FramesMissing => {
                "frames that the header announces are missing: the file was cut or is incomplete"
            }
            SourceNoteKind::CoverLeftOut => {
                "cover picture was left out, which is larger than 4 MiB, broken, or neither JPEG nor PNG"
            }
            SourceNoteKind::LiveCut => {
                return Some(format!("the live source ended at the limit of {count} s"));
            }
            SourceNoteKind::Resampled
            | SourceNoteKind::BandLost
            | SourceNoteKind::MonoCopied
            | SourceNoteKind::Downmixed
            | SourceNoteKind::FramesSilenced
            | SourceNoteKind::TrackChosen => return None,
        };
        Some(format!("{count} {text}"))
    }
}

/// The notice on the program that decoded an upload.
pub fn decoder_notice(program: &str) -> String {
    format!("decoded by {program}")
}

/// The counts of a report, without those that are zero.
pub fn counts(report: &DecodeReport) -> impl Iterator<Item = (SourceNoteKind, u64)> {
    let counts = [
        (SourceNoteKind::PacketsDamaged, report.damaged_packets),
        (SourceNoteKind::GapsFilled, report.gaps),
        (SourceNoteKind::SamplesInvalid, report.invalid_samples),
        (SourceNoteKind::BytesSkipped, report.skipped_bytes),
        (SourceNoteKind::StreamsSkipped, report.broken_links),
        (SourceNoteKind::FramesMissing, report.missing_frames.0),
    ];
    counts.into_iter().filter(|&(_, count)| count > 0)
}

impl SourceRecord {
    /// What was converted, downmixed or lost on the way to a model of this rate, in the order of the kinds.
    pub fn notes(&self, model_rate: Hertz) -> Vec<SourceNote> {
        let mut notes = Vec::new();
        let change = |kind, from: u64, to: u64| SourceNote {
            kind,
            from: Some(from),
            to: Some(to),
            count: None,
            method: (kind == SourceNoteKind::Downmixed).then_some(DOWNMIX_METHOD),
        };
        let (rate, model_rate) = (u64::from(self.rate.0), u64::from(model_rate.0));
        if rate != model_rate {
            notes.push(change(SourceNoteKind::Resampled, rate, model_rate));
        }
        if rate > model_rate {
            notes.push(change(SourceNoteKind::BandLost, rate / 2, model_rate / 2));
        }
        let (channels, stereo) = (u64::from(self.channels), Stereo::CHANNELS as u64);
        match channels {
            1 => notes.push(change(SourceNoteKind::MonoCopied, channels, stereo)),
            3.. => notes.push(change(SourceNoteKind::Downmixed, channels, stereo)),
            _ => {}
        }
        // Manifests of 0.1.0 have this one alone.
        let silenced = Some((SourceNoteKind::FramesSilenced, self.damaged.0));
        let silenced = silenced.into_iter().filter(|&(_, count)| count > 0);
        let counted = |kind, count| SourceNote {
            kind,
            from: None,
            to: None,
            count: Some(count),
            method: None,
        };
        for (kind, count) in silenced.chain(counts(&self.report)) {
            notes.push(counted(kind, count));
        }
        if let AudioTrack { number, count: count @ 2.. } = self.track {
            let chosen = counted(SourceNoteKind::TrackChosen, count.into());
            notes.push(SourceNote { to: Some(number.into()), ..chosen });
        }
        notes.extend(self.live_limit_s.map(|seconds| counted(SourceNoteKind::LiveCut, seconds)));
        notes.extend(self.cover_left_out.then(|| counted(SourceNoteKind::CoverLeftOut, 1)));
        notes
    }
}

/// Whether a manifest can do without a value.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
impl SourceRecord {
    /// PCM at this rate, with stems at 44,100 Hz.
    pub(crate) fn for_test(rate: u32, channels: u32) -> SourceRecord {
        SourceRecord {
            container: "WAV".into(),
            codec: "PCM".into(),
            rate: Hertz(rate),
            channels,
            frames: None,
            damaged: Frames::ZERO,
            output_rate: Hertz(44_100),
            decoder: None,
            live_limit_s: None,
            report: DecodeReport::default(),
            tags: SourceTags::default(),
            cover_bytes: None,
            cover_crc32c: None,
            cover_left_out: false,
            track: AudioTrack::ONLY,
        }
    }
}

#[cfg(test)]
mod tests;
