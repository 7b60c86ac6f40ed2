//! Range and conditional requests: RFC 9110, sections 13 and 14, for one range.

use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderName};
use http_range_header::{ParsedRanges, parse_range_header};

use crate::server::status::ApiError;

/// The part of a file to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The whole file.
    Whole,
    /// Bytes `first` to `last`, inclusive.
    Range { first: u64, last: u64 },
    /// Nothing: the client's copy is current.
    NotModified,
}

/// The part to send of a file of `size` bytes with a strong `etag`. Several ranges and invalid ranges yield the
/// whole file, as the RFC allows.
///
/// # Errors
/// `RangeUnsatisfiable`.
pub(super) fn part(headers: &HeaderMap, etag: &str, size: u64) -> Result<Part, ApiError> {
    if is_current(headers, etag) {
        return Ok(Part::NotModified);
    }
    let Some(ranges) = range(headers, etag) else { return Ok(Part::Whole) };
    let ranges = ranges.validate(size).map_err(|_| ApiError::RangeUnsatisfiable { size })?;
    let Some(range) = ranges.first() else { return Ok(Part::Whole) };
    Ok(Part::Range { first: *range.start(), last: *range.end() })
}

/// Whether a request is one for a range, so that the size of the file is needed.
pub(super) fn is_for_range(headers: &HeaderMap, etag: &str) -> bool {
    !is_current(headers, etag) && range(headers, etag).is_some()
}

/// The one range of a request, if it is valid and of this version.
fn range(headers: &HeaderMap, etag: &str) -> Option<ParsedRanges> {
    let range = text(headers, RANGE)?;
    // The tag of another version, or a date, which files here do not have.
    let is_of_other = text(headers, IF_RANGE).is_some_and(|known| known.trim() != etag);
    if is_of_other || range.contains(',') {
        return None;
    }
    parse_range_header(range).ok()
}

/// Whether the client has a current copy of a file with this `etag`.
pub(super) fn is_current(headers: &HeaderMap, etag: &str) -> bool {
    let is_it = |known: &str| matches!(known.trim(), "*") || weakly(known) == etag;
    text(headers, IF_NONE_MATCH).is_some_and(|known| known.split(',').any(is_it))
}

/// An entity tag without its weakness mark, which `If-None-Match` ignores.
fn weakly(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[(HeaderName, &str)], expected: Option<Part>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, value.parse().unwrap());
        }
        assert_eq!(part(&map, "\"tag\"", 100).ok(), expected, "{headers:?}");
        // An unsatisfiable range is one, too.
        let is_range = matches!(expected, Some(Part::Range { .. }) | None);
        assert_eq!(is_for_range(&map, "\"tag\""), is_range, "{headers:?}");
    }

    #[test]
    fn one_range_is_a_part() {
        let range = |first, last| Some(Part::Range { first, last });
        check(&[], Some(Part::Whole));
        check(&[(RANGE, "bytes=0-")], range(0, 99));
        check(&[(RANGE, "bytes=10-19")], range(10, 19));
        check(&[(RANGE, "bytes=90-500")], range(90, 99));
        check(&[(RANGE, "bytes=-10")], range(90, 99));
        check(&[(RANGE, "bytes=-500")], range(0, 99));
        check(&[(RANGE, "bytes=100-")], None);
        check(&[(RANGE, "bytes=-0")], None);
    }

    #[test]
    fn several_or_invalid_ranges_yield_the_whole_file() {
        for other in ["bytes=0-1,5-6", "frames=0-1", "bytes=5-1x", "0-5", "bytes="] {
            check(&[(RANGE, other)], Some(Part::Whole));
        }
    }

    #[test]
    fn tags_decide() {
        let first = Some(Part::Range { first: 0, last: 0 });
        check(&[(RANGE, "bytes=0-0"), (IF_RANGE, "\"tag\"")], first);
        check(&[(RANGE, "bytes=0-0"), (IF_RANGE, "W/\"tag\"")], Some(Part::Whole));
        check(&[(RANGE, "bytes=0-0"), (IF_RANGE, "\"old\"")], Some(Part::Whole));
        check(
            &[(RANGE, "bytes=0-0"), (IF_RANGE, "Wed, 21 Oct 2026 07:28:00 GMT")],
            Some(Part::Whole),
        );
        check(&[(IF_NONE_MATCH, "\"a\", W/\"tag\"")], Some(Part::NotModified));
        check(&[(IF_NONE_MATCH, "*")], Some(Part::NotModified));
        check(&[(IF_NONE_MATCH, "\"a\"")], Some(Part::Whole));
    }
}
