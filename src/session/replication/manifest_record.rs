//! A session's manifest in the store.

use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::{Keys, StoredPiece, manifest_number};
use crate::session::manifest::{Manifest, ManifestError};
use crate::session::replica::{Replica, ReplicaError};

/// A manifest as it is stored: one line of JSON, followed by the bytes of `session.json`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) header: RecordHeader,
    /// `session.json`; empty once the session is removed.
    pub(super) manifest: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordHeader {
    /// The version of the layout of objects.
    pub(super) format: u32,
    /// The server that has stored it.
    pub(super) owner: String,
    /// Whose pieces are read, in order.
    #[serde(default)]
    pub(super) spans: Vec<OwnerSpan>,
    /// The name of the object with the overlap state.
    #[serde(default)]
    pub(super) overlap_state: Option<String>,
    /// Whether the session is being removed.
    #[serde(default)]
    pub(super) removed: bool,
    /// The request of a session that is being removed, whose claims go first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<Uuid>,
}

/// From here on, up to the next span, the pieces of this owner are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnerSpan {
    pub(super) owner: String,
    /// Of the upload.
    pub(super) bytes: u64,
    /// Of the stems.
    pub(super) frames: u64,
}

/// The version of the layout of objects.
pub(super) const FORMAT: u32 = 1;

impl Record {
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(&self.header).map_err(io::Error::other)?;
        bytes.push(b'\n');
        bytes.extend(&self.manifest);
        Ok(bytes)
    }

    /// Of a session that this server removes, and that a request has created.
    pub(super) fn removed(owner: &str, request: Option<Uuid>) -> Record {
        let header = RecordHeader {
            format: FORMAT,
            owner: owner.to_owned(),
            spans: Vec::new(),
            overlap_state: None,
            removed: true,
            request,
        };
        Record { header, manifest: Vec::new() }
    }

    /// # Errors
    /// Bytes that are no record; a layout of a later version.
    pub(super) fn parse(bytes: &[u8]) -> Result<Record, ReplicaError> {
        let invalid = |cause: String| ReplicaError { cause };
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| invalid("a manifest has no header".to_owned()))?;
        let header: RecordHeader = serde_json::from_slice(&bytes[..end]).map_err(|error| {
            invalid(format!("the header of a manifest is not readable: {error}"))
        })?;
        if header.format > FORMAT {
            let format = header.format;
            let text = format!("a manifest has version {format}; this server reads up to {FORMAT}");
            return Err(invalid(text));
        }
        Ok(Record { header, manifest: bytes[end + 1..].to_vec() })
    }

    /// The session's manifest.
    ///
    /// # Errors
    /// Those of [`Manifest::parse`].
    pub(super) fn manifest(&self) -> Result<Manifest, ManifestError> {
        Manifest::parse(&self.manifest)
    }

    /// The last record of a session, and its number; `None` if it has none. What a server that had lost the session has left
    /// behind a removal is found as removed.
    ///
    /// # Errors
    /// Those of the store and of [`Record::parse`].
    pub(super) fn last(
        replica: &dyn Replica,
        keys: Keys,
    ) -> Result<Option<(u64, Record)>, ReplicaError> {
        let mut emptied = None;
        loop {
            let names = replica.list(&keys.manifests())?;
            let numbers: Vec<u64> = names.iter().filter_map(|name| manifest_number(name)).collect();
            let Some(&number) = numbers.iter().max() else { return Ok(None) };
            let removed = || Ok(Some((number, Record::removed("", None))));
            // Names are taken away by removals alone, in order: this one was created behind, or is being taken away.
            if number > 1
                && !numbers.contains(&(number - 1))
                && replica.get(&keys.manifest(number - 1))?.is_none()
            {
                return removed();
            }
            match replica.get(&keys.manifest(number))? {
                Some(bytes) if !bytes.is_empty() => {
                    return Ok(Some((number, Record::parse(&bytes)?)));
                }
                // Its successor is gone, so it was emptied behind the removal.
                Some(_) if emptied == Some(number) => return removed(),
                // A later one has been stored, or the session was removed.
                _ => emptied = Some(number),
            }
        }
    }
}

/// A piece, and the part of it that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PieceLink {
    pub(super) piece: StoredPiece,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The pieces among `names` that make up the first `end` bytes or frames of a session, in order; `begin` is where a span begins.
/// Ends at the first gap.
pub(super) fn chain(
    names: &[String],
    spans: &[OwnerSpan],
    begin: impl Fn(&OwnerSpan) -> u64,
    end: u64,
) -> Vec<PieceLink> {
    let pieces: Vec<StoredPiece> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let mut chained = Vec::new();
    let mut at = 0;
    while at < end {
        // The last span that has begun.
        let Some(index) = spans.iter().rposition(|span| begin(span) <= at) else { break };
        let limit = spans[index + 1..].iter().map(&begin).min().unwrap_or(end).min(end);
        let has_next = |piece: &&StoredPiece| {
            piece.owner == spans[index].owner && piece.start <= at && piece.end > at
        };
        let longest = pieces.iter().filter(has_next).max_by_key(|piece| piece.end);
        let Some(piece) = longest else { break };
        let until = piece.end.min(limit);
        chained.push(PieceLink { piece: piece.clone(), start: at, end: until });
        at = until;
    }
    chained
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(owner: &str, bytes: u64) -> OwnerSpan {
        OwnerSpan { owner: owner.to_owned(), bytes, frames: 0 }
    }

    /// Pieces as `start-end.owner`, spans as (owner, begin) -> the chained pieces with where each counts from.
    #[track_caller]
    fn check(names: &[&str], spans: &[(&str, u64)], end: u64, expected: &[(&str, u64)]) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let spans: Vec<_> = spans.iter().map(|&(owner, bytes)| span(owner, bytes)).collect();
        let found = chain(&names, &spans, |span| span.bytes, end);
        let found: Vec<_> = found
            .iter()
            .map(|link| {
                let StoredPiece { start, end, owner } = &link.piece;
                (format!("{start}-{end}.{owner}"), link.start)
            })
            .collect();
        let found: Vec<_> = found.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn pieces_are_chained_in_order_and_up_to_a_gap() {
        check(&["4-9.a", "0-4.a"], &[("a", 0)], 9, &[("0-4.a", 0), ("4-9.a", 4)]);
        check(&["0-4.a", "5-9.a"], &[("a", 0)], 9, &[("0-4.a", 0)]);
        check(&["0-4.a", "0-6.a", "6-7.a"], &[("a", 0)], 99, &[("0-6.a", 0), ("6-7.a", 6)]);
        check(&["0-4.a", "no piece"], &[], 4, &[]);
        check(&["0-4.a", "4-9.a"], &[("a", 0)], 4, &[("0-4.a", 0)]);
    }

    #[test]
    fn a_piece_ends_where_the_next_span_begins() {
        let links =
            chain(&["0-8.a".to_owned()], &[span("a", 0), span("b", 6)], |span| span.bytes, 99);
        assert_eq!(links.last().map(|link| link.end), Some(6));
    }

    #[test]
    fn pieces_of_an_owner_count_only_within_its_span() {
        let names = ["0-4.a", "4-8.a", "8-12.a", "6-9.b", "9-10.b"];
        let spans = [("a", 0), ("b", 6)];
        let expected = [("0-4.a", 0), ("4-8.a", 4), ("6-9.b", 6), ("9-10.b", 9)];
        check(&names, &spans, 99, &expected);
        // A span that was replaced before it had stored anything.
        check(&names, &[("a", 0), ("c", 6), ("b", 6)], 99, &expected);
    }
}
