//! The address of an object store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

/// Where an object store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder that all machines have mounted: `file:///mnt/stemwire`.
    Folder(PathBuf),
}

/// The text names no store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the URL of an object store: {problem}")]
pub struct LocationError {
    text: String,
    problem: &'static str,
}

impl LocationError {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &'static str {
        "Give --store the URL of a folder, such as file:///mnt/stemwire."
    }
}

impl FromStr for StoreLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<StoreLocation, LocationError> {
        let bad = |problem| LocationError { text: text.to_owned(), problem };
        let url = Url::parse(text).map_err(|_| bad("it has no scheme such as file://"))?;
        if url.scheme() != "file" {
            return Err(bad("this version supports file:// only"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it has a query or a fragment"));
        }
        url.to_file_path().map(StoreLocation::Folder).map_err(|()| bad("its path is not absolute"))
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreLocation::Folder(folder) => write!(f, "file://{}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_is_named_by_an_absolute_path() {
        let folder = |text: &str| text.parse().map(|StoreLocation::Folder(folder)| folder);
        assert_eq!(folder("file:///mnt/two%20words/"), Ok(PathBuf::from("/mnt/two words/")));
        for (text, problem) in [
            ("/mnt/store", "no scheme"),
            ("s3://bucket", "file:// only"),
            ("file://host/share", "not absolute"),
            ("file:///mnt?versioned", "query"),
        ] {
            let error = folder(text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(text), "{error}");
        }
    }
}
