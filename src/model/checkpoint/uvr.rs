//! UVR's list of MDX-Nets (`model_data_new.json`), which the user brings: parameters by the MD5 of the end of a file.

use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::Value;

use super::configuration::Configuration;
use crate::audio::StemName;

/// Bytes at the end of a file that are hashed.
const HASHED_BYTES: usize = 10_000 * 1024;

/// The entry of a file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct UvrEntry {
    /// Factor of the network's stem in the other one.
    #[serde(rename = "compensate")]
    pub(crate) compensation: f32,
    /// Bins of the network.
    #[serde(rename = "mdx_dim_f_set")]
    pub(crate) bins: usize,
    /// The network has two to the power of this columns.
    #[serde(rename = "mdx_dim_t_set")]
    columns_log2: u32,
    /// Samples of a column.
    #[serde(rename = "mdx_n_fft_scale_set")]
    pub(crate) size: usize,
    /// The network's stem, such as `Vocals`.
    primary_stem: String,
    /// Whether only the lead vocals are separated, which the list calls vocals.
    #[serde(default)]
    is_karaoke: bool,
}

impl UvrEntry {
    /// Finds the entry of a file in a list.
    ///
    /// # Errors
    /// That there is none, or what it lacks, in words.
    pub(crate) fn find(list: &Configuration, file: &[u8]) -> Result<UvrEntry, String> {
        let end = &file[file.len().saturating_sub(HASHED_BYTES)..];
        let key = base16ct::lower::encode_string(&Md5::digest(end));
        let entry = list.section(&key).map_err(|_| format!("the list has no entry {key}"))?;
        serde_json::from_value(Value::Object(entry.clone()))
            .map_err(|error| format!("entry {key}: {error}"))
    }

    /// Columns of the network.
    pub(crate) fn columns(&self) -> Option<usize> {
        1_usize.checked_shl(self.columns_log2)
    }

    /// The network's stem.
    ///
    /// # Errors
    /// That it is no name of a stem, in words.
    pub(crate) fn stem(&self) -> Result<StemName, String> {
        let stem = stem_of(&self.primary_stem)?;
        match stem.as_str() {
            StemName::VOCALS if self.is_karaoke => Ok(StemName::lead_vocals()),
            StemName::ACCOMPANIMENT if self.is_karaoke => {
                StemName::lead_vocals().complement().map_err(|error| error.to_string())
            }
            _ => Ok(stem),
        }
    }
}

/// The stem that UVR calls `name`: in small letters, and what it calls instrumental is the accompaniment here.
///
/// # Errors
/// That it is no name of a stem, in words.
pub(crate) fn stem_of(name: &str) -> Result<StemName, String> {
    match name.to_ascii_lowercase().replace(' ', "_").as_str() {
        "instrumental" => Ok(StemName::accompaniment()),
        name => name.parse().map_err(|error: crate::audio::stem::BadStemName| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = include_bytes!("../../../tests/golden/mdx-tiny/mdx-tiny.onnx");
    const LIST: &str = include_str!("../../../tests/golden/mdx-tiny/model_data.json");

    #[test]
    fn the_entry_of_a_file_is_found_by_the_hash_of_its_end() {
        let list = Configuration::parse(LIST).unwrap();
        let entry = UvrEntry::find(&list, FILE).unwrap();
        assert_eq!((entry.size, entry.bins, entry.columns()), (2048, 256, Some(32)));
        assert_eq!((entry.compensation, entry.stem().unwrap().as_str()), (1.035, "vocals"));
        // Of a long file only the end counts: zeros of that length have this sum.
        let long = vec![0; HASHED_BYTES + 5];
        let error = UvrEntry::find(&list, &long).unwrap_err();
        assert_eq!(error, UvrEntry::find(&list, &long[5..]).unwrap_err());
        let other = Configuration::parse(&LIST.replace("mdx_dim_f_set", "dim")).unwrap();
        assert!(UvrEntry::find(&other, FILE).unwrap_err().contains("mdx_dim_f_set"));
    }

    #[test]
    fn karaoke_models_separate_the_lead_vocals() {
        let stem = |primary: &str, karaoke: &str| {
            let list = LIST.replace("\"Vocals\"", &format!("\"{primary}\"{karaoke}"));
            let list = Configuration::parse(&list).unwrap();
            UvrEntry::find(&list, FILE).unwrap().stem().unwrap().to_string()
        };
        assert_eq!(stem("Vocals", ", \"is_karaoke\": true"), "lead_vocals");
        assert_eq!(stem("Instrumental", ", \"is_karaoke\": true"), "no_lead_vocals");
        assert_eq!(stem("Instrumental", ", \"is_karaoke\": false"), "accompaniment");
    }

    #[test]
    fn stems_have_the_names_of_this_program() {
        assert_eq!(stem_of("Instrumental").unwrap(), StemName::accompaniment());
        assert_eq!(stem_of("No Reverb").unwrap().as_str(), "no_reverb");
        assert!(stem_of("../x").is_err());
    }
}
