//! Positions in the list of sessions.

use crate::session::SessionId;
use crate::session::manifest::Timestamp;

/// A place in the list of sessions, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCursor {
    pub(super) created: Timestamp,
    pub(super) id: SessionId,
}

impl PageCursor {
    /// As text that a client gives back.
    pub fn to_token(self) -> String {
        format!("{:x}.{}", self.created.0, self.id)
    }

    /// Reads what [`PageCursor::to_token`] has written; `None` for anything else.
    pub fn from_token(token: &str) -> Option<PageCursor> {
        let (created, id) = token.split_once('.')?;
        let created = Timestamp(u64::from_str_radix(created, 16).ok()?);
        Some(PageCursor { created, id: id.parse().ok()? })
    }
}
