//! Session ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A UUID. As text it is lower case with hyphens, so that it can name a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

/// The text is not a UUID.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a session id: it must be a UUID such as 67e55044-10b1-426f-9247-bb680e5fe0c8"
)]
pub struct BadSessionId(String);

impl SessionId {
    /// A new random id, which cannot be guessed.
    pub fn random() -> SessionId {
        SessionId(Uuid::new_v4())
    }

    /// As a number, for modules that do not depend on this one.
    pub fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

impl FromStr for SessionId {
    type Err = BadSessionId;

    fn from_str(text: &str) -> Result<SessionId, BadSessionId> {
        let bad = || BadSessionId(text.chars().take(80).collect());
        // Only the hyphenated form: others (braces, urn:, no hyphens) would give one session several ids.
        let usual = text.len() == 36;
        let id = Uuid::try_parse(text).ok().filter(|id| usual && !id.is_nil());
        id.map(SessionId).ok_or_else(bad)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_names_a_session() {
        let id = SessionId::random();
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        assert_eq!(id.to_string().to_uppercase().parse::<SessionId>().unwrap(), id);
        let nil = "00000000-0000-0000-0000-000000000000";
        for bad in ["", "..", "../../etc/passwd", nil, "67e5504410b1426f9247bb680e5fe0c8", "{x}"] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?} passed");
        }
    }
}
