//! Positions in the list of sessions.

use crate::session::SessionId;
use crate::session::manifest::Timestamp;

/// A position in the list of sessions, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCursor {
    pub(super) created: Timestamp,
    pub(super) id: SessionId,
}

impl PageCursor {
    /// The position behind a session.
    pub fn behind(created: Timestamp, id: SessionId) -> PageCursor {
        PageCursor { created, id }
    }

    /// The token that a client sends back.
    pub fn to_token(self) -> String {
        format!("{:x}.{}", self.created.0, self.id)
    }

    /// Parses a token of [`PageCursor::to_token`]; `None` for any other text.
    pub fn from_token(token: &str) -> Option<PageCursor> {
        let (created, id) = token.split_once('.')?;
        let created = Timestamp(u64::from_str_radix(created, 16).ok()?);
        Some(PageCursor { created, id: id.parse().ok()? })
    }
}
