//! Names of models.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::audio::is_device_name;

/// A model's name: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`, beginning with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

impl ModelName {
    /// The name of an ensemble: its text, which is longer than other names and has a `=`.
    pub(super) fn of_ensemble(text: String) -> ModelName {
        ModelName(text)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a valid model name.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a model name: it takes 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a \
     letter or a digit, and is not a device name of Windows"
)]
pub struct BadModelName(String);

impl FromStr for ModelName {
    type Err = BadModelName;

    fn from_str(text: &str) -> Result<ModelName, BadModelName> {
        let first = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let valid = (1..=64).contains(&text.len())
            && first(text.as_bytes()[0])
            && text.bytes().all(|c| first(c) || matches!(c, b'.' | b'_' | b'-'))
            && !is_device_name(text);
        if valid {
            Ok(ModelName(text.to_owned()))
        } else {
            Err(BadModelName(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for ModelName {
    type Error = BadModelName;

    fn try_from(text: String) -> Result<ModelName, BadModelName> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_is_a_valid_folder_name_on_every_system() {
        for good in ["mini", "htdemucs_ft", "spleeter-2stems", "v2.1", "4stems"] {
            assert_eq!(good.parse::<ModelName>().unwrap().as_str(), good);
        }
        for bad in ["", "../mini", "Mini", ".mini", "a b", "nul", "com1.v2", &"x".repeat(65)] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad:?} passed");
        }
    }
}
