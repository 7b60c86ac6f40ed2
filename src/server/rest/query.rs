//! Query strings.

use std::str::FromStr;

use crate::server::status::ApiError;

/// Values by name; all names are known and occur once.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query string.
    ///
    /// # Errors
    /// `FieldUnknown` for a name not in `known`, a list separated by commas; `FieldRepeated`.
    pub(super) fn parse(text: Option<&str>, known: &'static str) -> Result<Query, ApiError> {
        let mut query = Query::default();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            if !known.split(", ").any(|known| known == name) {
                let name = name.chars().take(64).collect();
                return Err(ApiError::FieldUnknown { name, known });
            }
            if query.text(&name).is_some() {
                return Err(ApiError::FieldRepeated(name.into_owned()));
            }
            query.0.push((name.into_owned(), value.into_owned()));
        }
        Ok(query)
    }

    /// The value of a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The parsed value of a name.
    ///
    /// # Errors
    /// `Invalid` if it does not parse; `what` describes valid values.
    pub(super) fn value<T: FromStr>(
        &self,
        name: &'static str,
        what: &str,
    ) -> Result<Option<T>, ApiError> {
        self.text(name).map(|text| value(name, text, what)).transpose()
    }
}

/// Parses a value.
///
/// # Errors
/// `Invalid` if it does not parse; `what` describes valid values.
pub(super) fn value<T: FromStr>(
    field: &'static str,
    text: &str,
    what: &str,
) -> Result<T, ApiError> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        ApiError::Invalid { field, problem: format!("{shown:?} is not {what}") }
    })
}

/// The value that has this name.
///
/// # Errors
/// `Invalid`.
pub(super) fn choice<T: Copy, const N: usize>(
    field: &'static str,
    text: &str,
    known: [(&str, T); N],
) -> Result<T, ApiError> {
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names = known.map(|(name, _)| name).join(", ");
        let shown: String = text.chars().take(64).collect();
        ApiError::Invalid { field, problem: format!("{shown:?} is not one of {names}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Option<&str>, &str>) {
        let found = Query::parse(Some(text), "format, fit")
            .map(|query| query.text("format").map(str::to_owned))
            .map_err(|error| error.to_string());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, _) => panic!("{text:?} gave {found:?}"),
        }
    }

    #[test]
    fn unknown_and_repeated_names_are_refused() {
        check("", Ok(None));
        check("format=wav%2Df32&fit=true", Ok(Some("wav-f32")));
        check("fromat=flac", Err("fromat"));
        check("format=a&format=b", Err("twice"));
    }
}
