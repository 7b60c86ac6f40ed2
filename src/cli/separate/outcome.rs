//! How a run ended: its counts, and its error.

use super::inputs::FailedInput;
use super::report::RunCounts;
use crate::cli::error::CliError;
use crate::proto::reason::Category;

/// How the inputs of a run have ended.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) inputs: usize,
    pub(super) done: usize,
    pub(super) skipped: usize,
    pub(super) failed: Vec<FailedInput>,
}

impl Outcome {
    pub(super) fn counts(&self) -> RunCounts {
        let (done, skipped, failed) = (self.done, self.skipped, self.failed.len());
        RunCounts { songs: self.inputs, done, skipped, failed }
    }

    /// The error of the whole run: that of the only song, or which songs failed.
    pub(super) fn into_result(mut self) -> Result<(), CliError> {
        /// Names in one message. The errors before it name the others.
        const MAX_NAMES: usize = 10;
        if self.inputs == 1 || self.failed.is_empty() {
            return self.failed.pop().map_or(Ok(()), |only| Err(only.error));
        }
        let first = self.failed[0].error.category();
        let is_same = self.failed.iter().all(|failed| failed.error.category() == first);
        let category = if is_same { first } else { Category::Other };
        let mut names: Vec<_> =
            self.failed.iter().take(MAX_NAMES).map(|failed| failed.input.as_str()).collect();
        if self.failed.len() > MAX_NAMES {
            names.push("…");
        }
        let (failed, inputs, names) = (self.failed.len(), self.inputs, names.join(", "));
        let cause = format!("{failed} of {inputs} songs were not separated: {names}");
        Err(CliError::new(category, cause, "See the errors above."))
    }
}
