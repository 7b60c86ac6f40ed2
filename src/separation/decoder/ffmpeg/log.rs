//! What FFmpeg's log states of itself and of its input. Nothing depends on it but names that are shown.

/// Longest name or version.
const NAME_CHARS: usize = 60;

/// Names of this project for formats that FFmpeg names otherwise: its name, ours.
const FORMATS: [(&str, &str); 15] = [
    ("mov", "MP4"),
    ("asf", "ASF"),
    ("mpegts", "MPEG-TS"),
    ("mpeg", "MPEG-PS"),
    ("matroska", "Matroska"),
    ("ogg", "Ogg"),
    ("mpc8", "Musepack"),
    ("ape", "Monkey's Audio"),
    ("wv", "WavPack"),
    ("wavpack", "WavPack"),
    ("truehd", "TrueHD"),
    ("mlp", "MLP"),
    ("ac3", "AC-3"),
    ("eac3", "E-AC-3"),
    ("opus", "Opus"),
];

/// Container and codec of FFmpeg's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::separation::decoder) struct InputFormat {
    pub(in crate::separation::decoder) container: String,
    pub(in crate::separation::decoder) codec: String,
}

impl InputFormat {
    /// Reads them from the beginning of the log; `None` if they are not in it.
    pub(in crate::separation::decoder) fn parse(log: &str) -> Option<InputFormat> {
        let container = log.lines().find_map(|line| line.strip_prefix("Input #0, "))?;
        // Behind the metadata of the upload, which can contain any line.
        let (_, mapping) = log.rsplit_once("Stream mapping:\n")?;
        let (_, codec) = mapping.lines().next()?.split_once("-> #0:0 (")?;
        Some(InputFormat { container: format(container)?, codec: format(codec)? })
    }
}

/// The codecs of the audio tracks of the input, as far as the beginning of the log has them.
pub(in crate::separation::decoder) fn audio_codecs(log: &str) -> Vec<String> {
    // Lines of metadata are indented further.
    let input = log.split("Stream mapping:\n").next().unwrap_or_default();
    let streams = input.lines().filter(|line| line.starts_with("  Stream #0:"));
    streams.filter_map(|line| format(line.split_once(": Audio: ")?.1)).collect()
}

/// The name and version in the first line of the log, such as `ffmpeg 7.0.2`.
pub(super) fn version(log: &str) -> Option<String> {
    let (_, version) = log.split_once("ffmpeg version ")?;
    let version: String = version
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || ".-+_:~".contains(*c))
        .take(NAME_CHARS)
        .collect();
    (!version.is_empty()).then(|| format!("ffmpeg {version}"))
}

/// The name of the format whose name by FFmpeg begins the text.
fn format(text: &str) -> Option<String> {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let name: String = text.chars().take_while(is_part).take(NAME_CHARS).collect();
    let known = FORMATS.iter().find(|(theirs, _)| *theirs == name);
    let name = known.map_or_else(|| name.to_ascii_uppercase(), |(_, ours)| (*ours).to_owned());
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_log() {
        let log = "Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'fd:':\n  Metadata:\n    title : Stream mapping:\n  \
                   Stream #0:0[0x1](und): Audio: aac (LC)\nStream mapping:\n  \
                   Stream #0:0 -> #0:0 (eac3 (native) -> pcm_f32le (native))\nOutput #0\n";
        let expected = InputFormat { container: "MP4".into(), codec: "E-AC-3".into() };
        assert_eq!(InputFormat::parse(log), Some(expected));
        assert_eq!(InputFormat::parse("Input #0, asf, from 'fd:':\n"), None);
        assert_eq!(InputFormat::parse(""), None);
    }

    #[test]
    fn audio_tracks_are_counted() {
        let log = "Input #0, avi, from 'fd:':\n  Metadata:\n    title : x\n         :   Stream #0:9: Audio: aac\n  \
                   Stream #0:0: Video: mpeg4\n  Stream #0:1[0x2](eng): Audio: ac3, 48000 Hz\n    Metadata:\n  \
                   Stream #0:2: Audio: mp3 (mp3float)\nStream mapping:\n  Stream #0:1 -> #0:0 (ac3 (native))\n\
                   Output #0, wav\n  Stream #0:0: Audio: pcm_f32le\n";
        assert_eq!(audio_codecs(log), ["AC-3", "MP3"]);
        assert!(audio_codecs("Input #0").is_empty());
    }

    #[test]
    fn the_version_has_no_characters_that_need_care() {
        let log =
            "ffmpeg version n9.0.2-17-g2a571b6068 Copyright (c) 2000-2026 the FFmpeg developers\n";
        assert_eq!(version(log).as_deref(), Some("ffmpeg n9.0.2-17-g2a571b6068"));
        assert_eq!(version("ffmpeg version \x1b[31m"), None);
        let long = version(&format!("ffmpeg version {}", "1".repeat(999))).unwrap();
        assert_eq!(long.len(), "ffmpeg ".len() + NAME_CHARS);
    }
}
