//! The card: the TOML that describes a model. Parsed and checked once, then trusted.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{EngineError, ModelName, Sha256Hash, residual};
use crate::audio::{Frames, Hertz, StemName};
use crate::dsp::Segmentation;
use crate::dsp::segments::Blend;

/// A model, as its author describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The name that requests use.
    pub name: ModelName,
    /// The name for people.
    pub title: String,
    /// What kind of model it is, which decides what stands around the graph.
    pub family: Family,
    /// The stems in the order in which the model yields them.
    pub stems: Vec<StemName>,
    /// The rate that the model works at.
    pub sample_rate: Hertz,
    /// Frames that the model sees at once.
    pub segment: Frames,
    /// How much of a segment overlaps the next, 0 to 0.9; 0 where segments are summed.
    pub overlap: f64,
    /// What becomes of frames in several segments.
    #[serde(default)]
    pub blend: Blend,
    /// What each stem gets of what all of them leave of the mixture, in the stems' order, 1 in all; empty
    /// where that stays left over, as in the reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual_shares: Vec<f32>,
    /// The licence of the weights, for people.
    pub licence: String,
    /// The spectrum that the graph takes or yields; left out where it knows waveforms only.
    pub stft: Option<StftShape>,
    /// The ONNX graph.
    pub graph: FileReference,
    /// What fills the graph's initialisers: one file; in a bag one for each stem; none where the graph
    /// holds its own.
    #[serde(default, deserialize_with = "one_or_more")]
    pub weights: Vec<WeightsFile>,
}

/// Kinds of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Hybrid Transformer Demucs: waveform and complex spectrum in, both out, to be added.
    Htdemucs,
    /// Any graph with some of the same inputs and outputs, self-contained: `models/README.md` tells.
    Onnx,
    /// Spleeter: magnitudes in, the stems' magnitudes out, which share the mixture's spectrum.
    Spleeter,
}

impl Family {
    /// Whether the model wants a loudness that does not depend on the track's.
    pub fn is_normalised(self) -> bool {
        match self {
            Family::Htdemucs => true,
            Family::Onnx | Family::Spleeter => false,
        }
    }
}

/// The shape of a short-time Fourier transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StftShape {
    /// Samples of a frame.
    pub size: usize,
    /// Samples from one frame's start to the next one's.
    pub hop: usize,
}

/// A file beside the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileReference {
    /// A plain file name.
    pub file: String,
    /// What the file must hash to.
    pub sha256: Sha256Hash,
}

/// A file of weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsFile {
    /// A plain file name.
    pub file: String,
    /// What the file must hash to.
    pub sha256: Sha256Hash,
    /// In a bag the stem that is taken from these weights' answer.
    pub stem: Option<StemName>,
}

impl ModelCard {
    /// The largest overlap that makes sense: each frame is then computed ten times.
    pub const MAX_OVERLAP: f64 = 0.9;

    /// Reads a card; `path` is for the error.
    ///
    /// # Errors
    /// [`EngineError::Card`] naming what is wrong.
    pub fn parse(text: &str, path: &str) -> Result<ModelCard, EngineError> {
        let invalid = |reason: String| EngineError::Card { card: path.to_owned(), reason };
        let card: ModelCard = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
        match card.fault() {
            None => Ok(card),
            Some(reason) => Err(invalid(reason)),
        }
    }

    /// The card as TOML.
    ///
    /// # Errors
    /// In words, what cannot be written so.
    pub fn to_toml(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }

    /// Whether sessions may ask for `stem`: one of its own, or the accompaniment to its vocals.
    pub fn yields(&self, stem: &StemName) -> bool {
        self.stems.contains(stem)
            || (stem.as_str() == StemName::ACCOMPANIMENT
                && self.stems.iter().any(|own| own.as_str() == StemName::VOCALS))
    }

    /// What tells these weights from all others: their file's hash, that of a bag's hashes in the
    /// card's order, or that of the graph that holds them.
    pub fn weights_hash(&self) -> Sha256Hash {
        match &self.weights[..] {
            [] => self.graph.sha256,
            [file] => file.sha256,
            bag => Sha256Hash::of(&bag.iter().flat_map(|file| file.sha256.0).collect::<Vec<u8>>()),
        }
    }

    /// The weights that yield `stem` alone, in a bag of specialists.
    pub fn specialist(&self, stem: &StemName) -> Option<usize> {
        self.weights.iter().position(|file| file.stem.as_ref() == Some(stem))
    }

    /// How a track is cut; `overlap` counts where segments are averaged.
    pub fn segmentation(&self, overlap: f64) -> Segmentation {
        match (self.blend, self.stft) {
            (Blend::Sum, Some(StftShape { size, hop })) => {
                let frames = Frames::from_len;
                Segmentation::of_spectrum(self.segment, frames(size), frames(hop))
            }
            (Blend::Average, _) | (Blend::Sum, None) => Segmentation::new(self.segment, overlap),
        }
    }

    fn fault(&self) -> Option<String> {
        if self.stems.is_empty() || self.stems.len() > 64 {
            return Some("it needs 1 to 64 stems".into());
        }
        if (1..self.stems.len()).any(|i| self.stems[..i].contains(&self.stems[i])) {
            return Some("a stem is named twice".into());
        }
        if !self.sample_rate.is_supported() {
            return Some(format!("a sample rate of {} is not supported", self.sample_rate));
        }
        if !(0.0..=Self::MAX_OVERLAP).contains(&self.overlap) {
            return Some(format!("overlap must be 0 to {}", Self::MAX_OVERLAP));
        }
        if let Some(StftShape { size, hop }) = self.stft
            && (!size.is_power_of_two() || !(16..=65_536).contains(&size) || hop != size / 4)
        {
            return Some("stft.size must be a power of two up to 65536, and hop a quarter".into());
        }
        // The spectrum is padded by mirroring up to 2.5 hops of the segment at its ends.
        let shortest = self.stft.map_or(1, |stft| 3 * stft.hop as u64);
        if self.segment.0 < shortest || self.segment.0 > 1 << 26 {
            return Some(format!("a segment of {} frames is too short or too long", self.segment));
        }
        if let Some(fault) = self.columns_fault() {
            return Some(fault);
        }
        if let Some(fault) = residual::fault(&self.residual_shares, self.stems.len()) {
            return Some(fault);
        }
        let plain = |file: &str| !file.is_empty() && !file.contains(['/', '\\']) && file != "..";
        let mut files = self.weights.iter().map(|weights| &weights.file).chain([&self.graph.file]);
        if let Some(file) = files.find(|file| !plain(file)) {
            return Some(format!("{file:?} is not a plain file name"));
        }
        self.weights_fault()
    }

    /// What is wrong with the weights for this family, if anything is.
    fn weights_fault(&self) -> Option<String> {
        let named: Vec<_> = self.weights.iter().filter_map(|file| file.stem.as_ref()).collect();
        match (self.family, self.weights.len()) {
            (Family::Onnx, 0) => None,
            (Family::Onnx, _) => Some("a graph of family onnx holds its own weights".into()),
            (Family::Htdemucs, _) if self.stft.is_none() => Some("stft is missing".into()),
            (Family::Spleeter, 1) if named.is_empty() => None,
            (Family::Spleeter, _) => Some("spleeter has one file of weights, for all stems".into()),
            (Family::Htdemucs, 1) if named.is_empty() => None,
            (Family::Htdemucs, _) => {
                let each_once = self.weights.len() == self.stems.len()
                    && self.stems.iter().all(|stem| named.contains(&stem));
                let fault = "it needs one file of weights, or one for each stem that names it";
                (!each_once || !self.residual_shares.is_empty()).then(|| fault.to_owned())
            }
        }
    }

    /// What is wrong with a spectrum in whole columns, if the model has one and anything is.
    fn columns_fault(&self) -> Option<String> {
        match (self.family, self.blend) {
            (Family::Spleeter, Blend::Average) => {
                return Some("spleeter's blend is \"sum\"".into());
            }
            (Family::Htdemucs | Family::Onnx, Blend::Sum) => {
                return Some("only spleeter's blend is \"sum\"".into());
            }
            (Family::Htdemucs | Family::Onnx, Blend::Average) => return None,
            (Family::Spleeter, Blend::Sum) => {}
        }
        let Some(StftShape { size, hop }) = self.stft else {
            return Some("stft is missing".into());
        };
        if self.overlap != 0.0 {
            return Some("summed segments overlap by their columns only: overlap must be 0".into());
        }
        let behind = self.segment.as_len().checked_sub(size);
        let whole = behind.is_some_and(|behind| behind > 0 && behind % hop == 0);
        let fault = || format!("a segment of {} frames is not two or more columns", self.segment);
        (!whole).then(fault)
    }
}

/// Reads a table as a list of one.
fn one_or_more<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<WeightsFile>, D::Error> {
    struct OneOrMore;
    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<WeightsFile>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table with file and sha256, or an array of such tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
            Ok(vec![WeightsFile::deserialize(MapAccessDeserializer::new(table))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, tables: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(tables))
        }
    }
    source.deserialize_any(OneOrMore)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = r#"
        name = "tiny"
        title = "Tiny"
        family = "htdemucs"
        stems = ["drums", "vocals"]
        sample_rate = 44100
        segment = 343980
        overlap = 0.25
        licence = "MIT"
        stft = { size = 4096, hop = 1024 }
        graph = { file = "graph.onnx", sha256 = "HASH" }
        weights = { file = "weights.safetensors", sha256 = "HASH" }
    "#;

    #[track_caller]
    fn check(from: &str, to: &str, expected: Result<(), &str>) {
        let text = CARD.replace("HASH", &"0".repeat(64)).replace(from, to);
        match (ModelCard::parse(&text, "card.toml"), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} lacks {part:?}");
            }
            (parsed, _) => panic!("{to:?} gave {parsed:?}"),
        }
    }

    #[test]
    fn cards_are_checked_when_read() {
        check("", "", Ok(()));
        check("segment = 343980", "segment = 0", Err("segment of 0 frames"));
        check("overlap = 0.25", "overlap = 1.0", Err("overlap"));
        check("44100", "0", Err("0 Hz"));
        check("hop = 1024", "hop = 7", Err("hop"));
        check("\"graph.onnx\"", "\"../graph.onnx\"", Err("plain file name"));
        check("[\"drums\", \"vocals\"]", "[]", Err("stems"));
        check("\"drums\"", "\"vocals\"", Err("twice"));
        check("\"drums\"", "\"../drums\"", Err("stem name"));
        check("licence", "license", Err("license"));
        check("licence", "residual_shares = [1.0, 0.0]\nlicence", Ok(()));
        check("licence", "residual_shares = [1.0]\nlicence", Err("residual_shares"));
        check("\"htdemucs\"", "\"wavenet\"", Err("wavenet"));
        check("\"htdemucs\"", "\"onnx\"", Err("its own weights"));
        check("stft = ", "# ", Err("stft"));
        check("weights = ", "# ", Err("weights"));
    }

    #[test]
    fn a_bag_has_a_file_for_each_stem() {
        let single = r#"weights = { file = "weights.safetensors", sha256 = "HASH" }"#;
        let bag = |stems: &[&str]| -> String {
            let file = |stem: &&str| {
                format!("[[weights]]\nfile = \"{stem}\"\nsha256 = \"HASH\"\nstem = \"{stem}\"\n")
            };
            stems.iter().map(file).collect::<String>().replace("HASH", &"0".repeat(64))
        };
        let single = single.replace("HASH", &"0".repeat(64));
        check(&single, &bag(&["vocals", "drums"]), Ok(()));
        check(&single, &bag(&["vocals", "vocals"]), Err("one for each stem"));
        check(&single, &bag(&["vocals"]), Err("one for each stem"));
        check(&single, &bag(&["vocals", "bass"]), Err("one for each stem"));
    }

    #[test]
    fn spleeters_segments_are_whole_columns() {
        let spleeter = |segment: &str, rest: &str| {
            let text =
                CARD.replace("HASH", &"0".repeat(64)).replace("\"htdemucs\"", "\"spleeter\"");
            let text = text.replace("segment = 343980", segment).replace("overlap = 0.25", rest);
            ModelCard::parse(&text, "").map_err(|error| error.to_string())
        };
        let card = spleeter("segment = 527360", "overlap = 0\nblend = \"sum\"").unwrap();
        assert_eq!(card.segmentation(0.5).stride(), Frames(512 * 1024));
        for (segment, rest, told) in [
            ("segment = 527361", "overlap = 0\nblend = \"sum\"", "or more columns"),
            ("segment = 4096", "overlap = 0\nblend = \"sum\"", "or more columns"),
            ("segment = 527360", "overlap = 0.25\nblend = \"sum\"", "must be 0"),
            ("segment = 527360", "overlap = 0.25", "blend"),
        ] {
            let error = spleeter(segment, rest).unwrap_err();
            assert!(error.contains(told), "{error} lacks {told:?}");
        }
    }

    #[test]
    fn accompaniment_needs_vocals() {
        let card = ModelCard::parse(&CARD.replace("HASH", &"0".repeat(64)), "").unwrap();
        assert!(card.yields(&StemName::accompaniment()));
        assert!(!card.yields(&"piano".parse().unwrap()));
        let text = CARD.replace("HASH", &"0".repeat(64)).replace("\"vocals\"", "\"bass\"");
        assert!(!ModelCard::parse(&text, "").unwrap().yields(&StemName::accompaniment()));
    }
}
