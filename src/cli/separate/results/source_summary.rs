//! What a song is and what became of it, for the record, the JSON lines and people.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::audio::SourceTags;
use crate::audio::titles::printable;
use crate::cli::separate::time::clock;
use crate::proto;
use crate::session::Manifest;
use crate::session::source::{SourceNote, SourceNoteKind, decoder_notice};

/// The format of a song, its tags, and what was converted, downmixed or lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli::separate) struct SourceSummary {
    container: String,
    codec: String,
    sample_rate: u32,
    channels: u32,
    frames: u64,
    duration_seconds: f64,
    /// The program that decoded it, with its version; `None` if Stemwire did.
    decoder: Option<String>,
    tags: SourceTags,
    notes: Vec<SummaryNote>,
}

/// One way in which the audio that is separated differs from that of the song.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SummaryNote {
    /// Its kind. A server of a later version has more.
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// How it was done, where the kind can be done in several ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
}

impl SourceSummary {
    /// The song of a session in this process, once it is decoded.
    pub(in crate::cli::separate) fn of_manifest(manifest: &Manifest) -> Option<SourceSummary> {
        let source = manifest.source.as_ref()?;
        let frames = manifest.source_frames()?;
        Some(SourceSummary {
            container: source.container.clone(),
            codec: source.codec.clone(),
            sample_rate: source.rate.0,
            channels: source.channels,
            frames: frames.0,
            duration_seconds: frames.duration(source.rate).as_secs_f64(),
            decoder: source.decoder.clone(),
            tags: source.tags.clone(),
            notes: source.notes(manifest.plan.model_rate).iter().map(SummaryNote::of).collect(),
        })
    }

    /// The song of a server's session.
    pub(in crate::cli::separate) fn of_message(source: &proto::Source) -> SourceSummary {
        SourceSummary {
            container: source.container.clone(),
            codec: source.codec.clone(),
            sample_rate: source.sample_rate,
            channels: source.channels,
            frames: source.frames,
            duration_seconds: source.duration_seconds,
            decoder: Some(source.decoder.clone()).filter(|name| !name.is_empty()),
            tags: source.tags.as_ref().map(tags).unwrap_or_default(),
            notes: source.notes.iter().filter_map(SummaryNote::of_message).collect(),
        }
    }

    /// The tags of the song.
    pub(in crate::cli::separate) fn tags(&self) -> &SourceTags {
        &self.tags
    }

    /// Lines of text on what decoding repaired, skipped and cut.
    pub(in crate::cli::separate) fn damage(&self) -> impl Iterator<Item = String> {
        self.notes.iter().filter_map(|note| note.known()?.notice(note.count?))
    }

    /// The notices of a session without those that [`line`](SourceSummary::line) and [`damage`](SourceSummary::damage) have,
    /// too. Servers of 0.1.0 have the notices alone.
    pub(in crate::cli::separate) fn further(&self, notices: &[String]) -> Vec<String> {
        let decoder = self.decoder.as_deref().map(decoder_notice);
        let own: Vec<_> = self.damage().chain(decoder).collect();
        notices.iter().filter(|notice| !own.contains(notice)).cloned().collect()
    }

    /// A line of text, without [`damage`](SourceSummary::damage).
    pub(in crate::cli::separate) fn line(&self) -> String {
        let mut parts = vec![self.container.clone()];
        if self.codec != self.container {
            parts.push(self.codec.clone());
        }
        parts.push(format!("{} kHz", kilo(self.sample_rate.into())));
        parts.push(match self.channels {
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            more => format!("{more} channels"),
        });
        let length = Duration::try_from_secs_f64(self.duration_seconds).unwrap_or_default();
        parts.push(clock(length));
        parts.extend(self.decoder.as_deref().map(decoder_notice));
        parts.extend(self.notes.iter().filter_map(SummaryNote::text));
        let names = [&self.tags.artist, &self.tags.title];
        let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
        if !names.is_empty() {
            parts.push(format!("“{}”", names.join(" – ")));
        }
        printable(&parts.join(", "))
    }
}

impl SummaryNote {
    fn of(note: &SourceNote) -> SummaryNote {
        let SourceNote { kind, from, to, count, method } = *note;
        let (kind, method) = (kind.as_str().to_owned(), method.map(str::to_owned));
        SummaryNote { kind, from, to, count, method }
    }

    fn known(&self) -> Option<SourceNoteKind> {
        SourceNoteKind::ALL.into_iter().find(|kind| kind.as_str() == self.kind)
    }

    /// `None` for a kind that this version does not know.
    fn of_message(note: &proto::SourceNote) -> Option<SummaryNote> {
        let kind = SourceNoteKind::ALL.into_iter().find(|&kind| kind as i32 == note.kind)?;
        let number = |number: u64| Some(number).filter(|&number| number > 0);
        let (from, to, count) = (number(note.from), number(note.to), number(note.count));
        let method = Some(note.method.clone()).filter(|method| !method.is_empty());
        let note = SummaryNote::of(&SourceNote { kind, from, to, count, method: None });
        Some(SummaryNote { method, ..note })
    }

    /// What was converted or lost on purpose; `None` for what decoding repaired.
    fn text(&self) -> Option<String> {
        let (from, to) = (self.from, self.to?);
        match self.known()? {
            SourceNoteKind::Resampled => {
                Some(format!("resampled from {} to {} kHz", kilo(from?), kilo(to)))
            }
            SourceNoteKind::BandLost => Some(format!("nothing above {} kHz is kept", kilo(to))),
            SourceNoteKind::TrackChosen => Some(format!("audio track {to} of {}", self.count?)),
            SourceNoteKind::Downmixed => {
                let by = self.method.as_ref().map(|method| format!(" by {method}"));
                let by = by.unwrap_or_default();
                Some(format!("downmixed from {} channels to {to}{by}", from?))
            }
            // The number of channels implies it.
            SourceNoteKind::MonoCopied
            | SourceNoteKind::FramesSilenced
            | SourceNoteKind::PacketsDamaged
            | SourceNoteKind::GapsFilled
            | SourceNoteKind::SamplesInvalid
            | SourceNoteKind::BytesSkipped
            | SourceNoteKind::StreamsSkipped
            | SourceNoteKind::FramesMissing
            | SourceNoteKind::LiveCut
            | SourceNoteKind::CoverLeftOut => None,
        }
    }
}

/// Thousands, such as 44.1.
fn kilo(value: u64) -> f64 {
    value as f64 / 1000.0
}

fn tags(tags: &proto::SourceTags) -> SourceTags {
    let text = |text: &String| Some(text.clone());
    let tags = SourceTags {
        title: text(&tags.title),
        artist: text(&tags.artist),
        album: text(&tags.album),
        track_number: Some(tags.track_number),
        date: text(&tags.date),
        genre: text(&tags.genre),
        album_artist: text(&tags.album_artist),
        bpm: Some(tags.bpm).filter(|&bpm| bpm > 0.0),
        key: text(&tags.key),
        comment: text(&tags.comment),
    };
    // Empty ones stand for none.
    tags.bounded()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: i32, from: u64, to: u64, count: u64) -> proto::SourceNote {
        let method = if kind == 4 { "ITU-R BS.775".to_owned() } else { String::new() };
        proto::SourceNote { kind, from, to, count, method }
    }

    #[test]
    fn a_line_names_the_format_the_conversions_and_the_song() {
        let tags = proto::SourceTags {
            title: "Ça ira\u{1b}[2J".into(),
            artist: "Piaf".into(),
            ..proto::SourceTags::default()
        };
        let source = proto::Source {
            container: "WAV".into(),
            codec: "PCM".into(),
            sample_rate: 96_000,
            channels: 6,
            duration_seconds: 209.4,
            notes: vec![
                note(1, 96_000, 44_100, 0),
                note(2, 48_000, 22_050, 0),
                note(4, 6, 2, 0),
                note(9, 0, 0, 7),
                note(12, 0, 2, 3),
                note(99, 1, 2, 3),
            ],
            tags: Some(tags),
            ..proto::Source::default()
        };
        let summary = SourceSummary::of_message(&source);
        assert_eq!(
            summary.line(),
            "WAV, PCM, 96 kHz, 6 channels, 3:29, resampled from 96 to 44.1 kHz, nothing above 22.05 kHz is kept, \
             downmixed from 6 channels to 2 by ITU-R BS.775, audio track 2 of 3, “Piaf – Ça ira[2J”"
        );
        let damage = "7 bytes that are neither audio nor a known tag were skipped";
        assert_eq!(summary.damage().collect::<Vec<_>>(), [damage]);
        let notices = [damage, "another notice"].map(str::to_owned);
        assert_eq!(summary.further(&notices), ["another notice"]);
        let value = serde_json::to_value(&summary).unwrap();
        assert_eq!(value["notes"][3], serde_json::json!({"kind": "BYTES_SKIPPED", "count": 7}));
        assert_eq!(value["notes"].as_array().unwrap().len(), 5);
        assert_eq!(value["tags"], serde_json::json!({"title": "Ça ira[2J", "artist": "Piaf"}));
        let plain = proto::Source { container: "MP3".into(), codec: "MP3".into(), ..source };
        let plain = proto::Source { channels: 1, notes: Vec::new(), tags: None, ..plain };
        assert_eq!(SourceSummary::of_message(&plain).line(), "MP3, 96 kHz, mono, 3:29");
        let decoded = proto::Source { decoder: "ffmpeg 7.1".into(), ..plain };
        let summary = SourceSummary::of_message(&decoded);
        assert_eq!(summary.line(), "MP3, 96 kHz, mono, 3:29, decoded by ffmpeg 7.1");
        assert!(summary.further(&["decoded by ffmpeg 7.1".to_owned()]).is_empty());
    }
}
