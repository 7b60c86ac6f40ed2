//! A model that `--fetch-models` names.

use std::str::FromStr;

use crate::model::{ModelName, Sha256Hash};

/// A model to fetch: a published one, or one with a card of its own, by the hash of the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ModelToFetch {
    pub(super) name: ModelName,
    pub(super) card: Option<Sha256Hash>,
}

impl FromStr for ModelToFetch {
    type Err = String;

    fn from_str(text: &str) -> Result<ModelToFetch, String> {
        let (name, card) = match text.split_once('=') {
            None => (text, None),
            Some((name, hash)) => {
                (name, Some(hash.parse::<Sha256Hash>().map_err(|error| error.to_string())?))
            }
        };
        let name = name.parse::<ModelName>().map_err(|error| error.to_string())?;
        Ok(ModelToFetch { name, card })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_to_fetch_has_a_name_and_a_hash_or_none() {
        let hash = Sha256Hash::of(b"a card");
        let parsed = |text: &str| text.parse::<ModelToFetch>();
        let named = |card| ModelToFetch { name: "mytune".parse().unwrap(), card };
        assert_eq!(parsed("mytune"), Ok(named(None)));
        assert_eq!(parsed(&format!("mytune={hash}")), Ok(named(Some(hash))));
        assert!(parsed("mytune=0123").unwrap_err().contains("64 hexadecimal digits"));
        assert!(parsed("../mytune").unwrap_err().contains("not a model name"));
    }
}
