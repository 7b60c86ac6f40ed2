//! Names of stems.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::windows_names::is_device_name;

/// A stem's name as in model cards: 1 to 32 of `a-z`, `0-9`, `_` and `-`, beginning with a letter.
///
/// Stem names become file names. Paths such as `../etc` are rejected here, and so are names that
/// Windows reserves, such as `aux`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StemName(String);

/// The text is not a stem name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not a stem name: it must be 1 to 32 of a-z, 0-9, '_' and '-', begin with a letter, and not \
     be reserved by Windows"
)]
pub struct BadStemName(String);

impl StemName {
    /// Everything but the vocals, also named `no_vocals`; available in addition to a model's own stems.
    pub const ACCOMPANIMENT: &'static str = "accompaniment";
    /// The sung or spoken voice.
    pub const VOCALS: &'static str = "vocals";

    /// The voice in front. With [`StemName::BACKING_VOCALS`] it sums to the vocals.
    pub const LEAD_VOCALS: &'static str = "lead_vocals";
    /// The voices behind it.
    pub const BACKING_VOCALS: &'static str = "backing_vocals";

    /// What is in no other stem.
    pub const OTHER: &'static str = "other";

    /// The name `other`.
    pub fn other() -> StemName {
        StemName(Self::OTHER.to_owned())
    }

    /// The name `accompaniment`.
    pub fn accompaniment() -> StemName {
        StemName(Self::ACCOMPANIMENT.to_owned())
    }

    /// The name `lead_vocals`.
    pub fn lead_vocals() -> StemName {
        StemName(Self::LEAD_VOCALS.to_owned())
    }

    /// The name `backing_vocals`.
    pub fn backing_vocals() -> StemName {
        StemName(Self::BACKING_VOCALS.to_owned())
    }

    /// The stems that the stem `name` is the sum of, in models that have these.
    pub fn parts(name: &str) -> &'static [&'static str] {
        match name {
            Self::VOCALS => &[Self::LEAD_VOCALS, Self::BACKING_VOCALS],
            _ => &[],
        }
    }

    /// What begins the name of everything but a stem, such as `no_drums`.
    const WITHOUT: &'static str = "no_";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of everything but this stem: `accompaniment` for the vocals, `no_drums` for the drums.
    ///
    /// # Errors
    /// [`BadStemName`] if it is too long.
    pub fn complement(&self) -> Result<StemName, BadStemName> {
        match self.as_str() {
            Self::VOCALS => Ok(Self::accompaniment()),
            stem => format!("{}{stem}", Self::WITHOUT).parse(),
        }
    }

    /// The stem that this name leaves out: `vocals` for `accompaniment` and `no_vocals`, `drums` for `no_drums`. `None` for
    /// other names. A model may have a stem of such a name all the same.
    pub fn left_out(&self) -> Option<&str> {
        match self.as_str() {
            Self::ACCOMPANIMENT => Some(Self::VOCALS),
            name => name.strip_prefix(Self::WITHOUT),
        }
    }
}

impl FromStr for StemName {
    type Err = BadStemName;

    fn from_str(text: &str) -> Result<StemName, BadStemName> {
        let allowed =
            |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
        let valid = (1..=32).contains(&text.len())
            && text.as_bytes()[0].is_ascii_lowercase()
            && text.bytes().all(allowed)
            && !is_device_name(text);
        if valid {
            Ok(StemName(text.to_owned()))
        } else {
            Err(BadStemName(text.chars().take(64).collect()))
        }
    }
}

impl TryFrom<String> for StemName {
    type Error = BadStemName;

    fn try_from(text: String) -> Result<StemName, BadStemName> {
        text.parse()
    }
}

impl From<StemName> for String {
    fn from(name: StemName) -> String {
        name.0
    }
}

impl fmt::Display for StemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_names_are_accepted() {
        for good in ["vocals", "drums", "stem_2", "lead-guitar"] {
            assert_eq!(good.parse::<StemName>().unwrap().as_str(), good);
        }
        for bad in
            ["", "../vocals", "a/b", "Vocals", "1st", "vocals.wav", "a\0", "aux", &"x".repeat(33)]
        {
            assert!(bad.parse::<StemName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_complement_leaves_its_stem_out() {
        for (stem, complement) in [
            ("vocals", "accompaniment"),
            ("drums", "no_drums"),
            ("accompaniment", "no_accompaniment"),
        ] {
            let found = stem.parse::<StemName>().unwrap().complement().unwrap();
            assert_eq!((found.as_str(), found.left_out()), (complement, Some(stem)));
        }
        let left_out = |name: &str| name.parse::<StemName>().unwrap().left_out().map(str::to_owned);
        assert_eq!(left_out("no_vocals"), Some("vocals".into()));
        assert_eq!(left_out("vocals"), None);
        assert!("x".repeat(32).parse::<StemName>().unwrap().complement().is_err());
    }
}
