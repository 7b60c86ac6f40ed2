//! Findings of checks, as `stemwire doctor` and `stemwire cluster check` print them.

use std::fmt;

use super::error::CliError;
use super::output::write;
use crate::proto::reason::Category;

/// The result of a check.
pub(super) struct Finding {
    text: String,
    /// What to do if the check failed.
    remedy: Option<String>,
}

impl Finding {
    /// A check that has passed.
    pub(super) fn good(text: impl Into<String>) -> Finding {
        Finding { text: text.into(), remedy: None }
    }

    /// A check that has failed.
    pub(super) fn bad(text: impl ToString, remedy: impl Into<String>) -> Finding {
        Finding { text: text.to_string(), remedy: Some(remedy.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.remedy {
            None => writeln!(f, "good  {}", self.text),
            Some(remedy) => writeln!(f, "BAD   {}\n      remedy: {remedy}", self.text),
        }
    }
}

/// Prints findings.
///
/// # Errors
/// How many checks failed; standard output that cannot be written.
pub(super) fn report(findings: &[Finding]) -> Result<(), CliError> {
    let text: Vec<String> = findings.iter().map(Finding::to_string).collect();
    write(&text.concat())?;
    match findings.iter().filter(|finding| finding.remedy.is_some()).count() {
        0 => Ok(()),
        1 => Err(CliError::plain(Category::Other, "1 check failed")),
        failed => Err(CliError::plain(Category::Other, format!("{failed} checks failed"))),
    }
}
